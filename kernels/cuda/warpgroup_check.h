// Whether a device's products of warpgroups can be trusted.
#pragma once

#include <string>

#include "kernels/cuda/runtime.h"

namespace kern::cuda {

/// Lets prompts use products of warpgroups where the device has them, this program has code for them, $KERN_GPU_WGMMA
/// is not 0, and they give what other products give of the same numbers: what their operands' descriptors mean can't be
/// seen without such a device. Where only the last fails, one line says so. Takes some milliseconds.
std::string check_warpgroup_products(Device& device);

} // namespace kern::cuda
