#include <stdexcept>

#include "kernels/gpu.h"

namespace kern {

bool built_for_gpu() { return false; }

int gpu_count(std::string& reason) {
  reason = "this build has no GPU support";
  return 0;
}

std::unique_ptr<Backend> open_gpu(int, bool, std::string&) { throw std::logic_error("this build has no GPU support"); }

Limits measure_gpu_limits(Backend&) { throw std::logic_error("this build has no GPU support"); }

} // namespace kern
