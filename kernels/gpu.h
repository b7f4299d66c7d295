// The GPU this program can use, if it was built for one and finds one. Two implementations: kernels/cuda/gpu.cpp, and
// kernels/no_gpu.cpp in builds for the CPU alone.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/work.h"

namespace kern {

/// Whether this build has GPU kernels at all.
bool built_for_gpu();
/// Devices that can be used. Where there are none, `reason` becomes one line that says why.
int gpu_count(std::string& reason);
/// Throws cuda::DeviceError where the device can't be opened. `exact`: one arithmetic for prompts and generated tokens.
/// Where something of the device isn't used that others of its kind have, `notice` becomes one line that says so.
std::unique_ptr<Backend> open_gpu(int index, bool exact, std::string& notice);

/// What a device that open_gpu() gave does at most, by kernels that do nothing else; takes about a second and 1 GiB.
Limits measure_gpu_limits(Backend& gpu);

} // namespace kern
