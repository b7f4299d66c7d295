#include "kernels/gpu.h"

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/limits.h"
#include "kernels/cuda/warpgroup_check.h"

namespace kern {

bool built_for_gpu() { return true; }

int gpu_count(std::string& reason) { return cuda::device_count(&reason); }

std::unique_ptr<Backend> open_gpu(int index, bool exact, std::string& notice) {
  auto device = cuda::open_device(index);
  notice = cuda::check_warpgroup_products(*device);
  return std::make_unique<CudaBackend>(std::move(device), exact);
}

Limits measure_gpu_limits(Backend& gpu) { return cuda::measure_limits(static_cast<CudaBackend&>(gpu).device()); }

} // namespace kern
