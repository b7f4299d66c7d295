// What a GPU does at most, measured.
#pragma once

#include "kernels/cuda/runtime.h"
#include "kernels/work.h"

namespace kern::cuda {

/// Bytes read from memory, multiply-adds of a warp's matrix instructions (int8, 16-bit floats) and of fp32 fma, each by
/// a kernel that does nothing else, best of some runs. Takes 1 GiB of device memory, or half of what is free. Throws
/// DeviceMemoryError.
Limits measure_limits(Device& device);

} // namespace kern::cuda
