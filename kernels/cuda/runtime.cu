#include "kernels/cuda/runtime.h"

#include <cuda_runtime.h>

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kern::cuda {

namespace {

std::string describe(cudaError_t error) {
  return std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
}

constexpr std::size_t default_shared_bytes = std::size_t{48} << 10; // a kernel that wants more has to ask

class CudaRecording final : public Recording {
public:
  CudaRecording(cudaGraphExec_t graph, int launches) : graph_(graph), launches_(launches) {}
  ~CudaRecording() override { cudaGraphExecDestroy(graph_); }
  CudaRecording(const CudaRecording&) = delete;
  CudaRecording& operator=(const CudaRecording&) = delete;
  int launches() const override { return launches_; }
  cudaGraphExec_t graph() const { return graph_; }

private:
  cudaGraphExec_t graph_;
  int launches_;
};

/// Launched by nobody: what the driver says of it, it would say of every kernel here.
__global__ void any_kernel() {}

class CudaDevice final : public Device {
public:
  explicit CudaDevice(int index) : index_(index), info_(device_info(index)) {
    check(cudaSetDevice(index), "choosing the device");
    cudaFuncAttributes attributes{};
    const cudaError_t error = cudaFuncGetAttributes(&attributes, any_kernel);
    if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction)
      throw DeviceError(
          info_.name + ": this kern was built for other GPUs than compute " + std::to_string(info_.major) + "." +
          std::to_string(info_.minor) +
          "; build it for this one with make cuda CUDA_ARCHS=" + std::to_string(info_.major * 10 + info_.minor));
    check(error, "loading kernels");
    const char* wish = std::getenv("KERN_GPU_OVERLAP");
    overlaps_ = info_.major >= 9 && !(wish && std::string_view(wish) == "0");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  }
  ~CudaDevice() override {
    // Errors have been reported where they happened; what is left is to let go.
    static_cast<void>(cudaSetDevice(index_));
    for (const cudaEvent_t event : events_) static_cast<void>(cudaEventDestroy(event));
    static_cast<void>(cudaStreamDestroy(stream_));
  }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  const DeviceInfo& info() const override { return info_; }
  std::uint64_t free_bytes() override {
    use();
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    return free;
  }

  std::byte* allocate(std::size_t bytes) override {
    use();
    void* memory = nullptr;
    if (const cudaError_t error = cudaMalloc(&memory, bytes); error != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      if (error != cudaErrorMemoryAllocation) fail(error, "taking memory");
      throw DeviceMemoryError(info_.name + ": no room for " + std::to_string(bytes) + " bytes, " +
                              std::to_string(free_bytes()) + " are free");
    }
    return static_cast<std::byte*>(memory);
  }
  void release(std::byte* memory) noexcept override {
    static_cast<void>(cudaSetDevice(index_));
    static_cast<void>(cudaFree(memory));
  }
  std::byte* allocate_pinned(std::size_t bytes) override {
    use();
    void* memory = nullptr;
    if (cudaMallocHost(&memory, bytes) != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      throw DeviceMemoryError(info_.name + ": the host has no " + std::to_string(bytes) + " bytes to copy from");
    }
    return static_cast<std::byte*>(memory);
  }
  void release_pinned(std::byte* memory) noexcept override { static_cast<void>(cudaFreeHost(memory)); }

  void clear(std::byte* memory, std::size_t bytes) override {
    use();
    check(cudaMemsetAsync(memory, 0, bytes, stream_), "clearing memory");
  }
  void copy_in(const void* pinned, std::byte* to, std::size_t bytes) override {
    use();
    check(cudaMemcpyAsync(to, pinned, bytes, cudaMemcpyHostToDevice, stream_), "copying to the device");
  }
  void copy_out(const std::byte* from, void* pinned, std::size_t bytes) override {
    use();
    check(cudaMemcpyAsync(pinned, from, bytes, cudaMemcpyDeviceToHost, stream_), "copying from the device");
  }

  void launch(const KernelCall& call) override {
    use();
    if (call.shared_bytes > default_shared_bytes) allow_shared(call.kernel, call.shared_bytes);
    void* arguments[] = {const_cast<void*>(call.arguments)};
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = dim3(call.grid.x, call.grid.y, call.grid.z);
    configuration.blockDim = dim3(call.threads);
    configuration.dynamicSmemBytes = call.shared_bytes;
    configuration.stream = stream_;
    // The next kernel's blocks come up while the last of this one's are at work; they wait for it in wait_for_inputs().
    cudaLaunchAttribute overlap{};
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;
    configuration.attrs = &overlap;
    configuration.numAttrs = overlaps_ ? 1 : 0;
    check(cudaLaunchKernelExC(&configuration, call.kernel, arguments), "launching a kernel");
    ++recorded_;
  }

  std::uint64_t mark() override {
    use();
    cudaEvent_t& event = events_[marker_ % markers];
    if (!event) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making a marker");
    check(cudaEventRecord(event, stream_), "setting a marker");
    return ++marker_;
  }
  void wait(std::uint64_t marker) override {
    use();
    if (marker == 0) return;
    // An event that has been set again since stands for a later point, which is as good.
    check(cudaEventSynchronize(events_[(marker - 1) % markers]), "waiting for the device");
  }
  void synchronize() override {
    use();
    check(cudaStreamSynchronize(stream_), "waiting for the device");
  }

  void begin_recording() override {
    use();
    recorded_ = 0;
    // Relaxed: a kernel's first launch may load its code meanwhile.
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "recording a step");
  }
  std::unique_ptr<Recording> end_recording() override {
    use();
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream_, &graph), "recording a step");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    check(error, "preparing a recorded step");
    return std::make_unique<CudaRecording>(executable, recorded_);
  }
  void replay(const Recording& recording) override {
    use();
    check(cudaGraphLaunch(static_cast<const CudaRecording&>(recording).graph(), stream_), "replaying a step");
  }

private:
  static constexpr std::size_t markers = 64;

  [[noreturn]] void fail(cudaError_t error, const char* doing) const {
    throw DeviceError(info_.name + ": " + doing + ": " + describe(error));
  }
  void check(cudaError_t error, const char* doing) const {
    if (error != cudaSuccess) fail(error, doing);
  }
  /// The runtime keeps a current device for each thread.
  void use() const { check(cudaSetDevice(index_), "choosing the device"); }

  void allow_shared(const void* kernel, std::size_t bytes) {
    std::size_t& allowed = allowed_shared_[kernel];
    if (bytes <= allowed) return;
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
          "asking for shared memory");
    allowed = bytes;
  }

  int index_;
  DeviceInfo info_;
  cudaStream_t stream_ = nullptr;
  std::vector<cudaEvent_t> events_ = std::vector<cudaEvent_t>(markers);
  std::uint64_t marker_ = 0;
  std::map<const void*, std::size_t> allowed_shared_;
  int recorded_ = 0;
  bool overlaps_ = false; // whether kernels may begin before the one before them has ended
};

} // namespace

namespace {

/// "13.0" for 13000
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string why_no_device(cudaError_t error) {
  if (error != cudaErrorInsufficientDriver) return describe(error);
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "no NVIDIA driver is installed";
  return "the NVIDIA driver knows CUDA up to " + version_text(driver) + ", this kern was built with " +
         version_text(CUDART_VERSION) + "; a newer driver is needed";
}

} // namespace

int device_count(std::string* reason) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return count;
  static_cast<void>(cudaGetLastError());
  if (reason) *reason = error == cudaSuccess ? "the driver lists no device" : why_no_device(error);
  return 0;
}

DeviceInfo device_info(int index) {
  cudaDeviceProp properties{};
  std::size_t free = 0;
  std::size_t total = 0;
  cudaError_t error = cudaGetDeviceProperties(&properties, index);
  if (error == cudaSuccess) error = cudaSetDevice(index);
  if (error == cudaSuccess) error = cudaMemGetInfo(&free, &total);
  if (error != cudaSuccess) throw DeviceError("device " + std::to_string(index) + ": " + describe(error));
  DeviceInfo info;
  info.name = properties.name;
  info.major = properties.major;
  info.minor = properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.shared_bytes = properties.sharedMemPerBlockOptin;
  info.total_bytes = total;
  info.free_bytes = free;
  return info;
}

std::unique_ptr<Device> open_device(int index) { return std::make_unique<CudaDevice>(index); }

} // namespace kern::cuda
