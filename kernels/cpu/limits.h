// What this machine can do at most, measured.
#pragma once

#include "kernels/cpu/kernels.h"
#include "kernels/work.h"

namespace kern {

/// Runs all threads at once and takes the best of several runs, about two seconds in all. Reading goes over 1 GiB from
/// `memory`, more than any cache holds, or over a third of what is available where that is less. Throws std::bad_alloc.
Limits measure_limits(Backend& memory, int threads, const CpuKernels& kernels);

} // namespace kern
