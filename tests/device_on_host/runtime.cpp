#include "device_on_host/runtime.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "device_on_host/host_warpgroup.h"
#include "kernels/cuda/shared_barrier.h"

namespace kern::test {

namespace {

/// A number from the environment, for tests of whole programs.
std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

HostDeviceOptions options = [] {
  HostDeviceOptions first;
  first.devices = static_cast<int>(from_environment("KERN_TEST_DEVICES", 1));
  first.memory_bytes = from_environment("KERN_TEST_DEVICE_MEMORY", first.memory_bytes);
  first.fail_launch = static_cast<int>(from_environment("KERN_TEST_FAIL_LAUNCH", 0));
  first.misread_operands = from_environment("KERN_TEST_MISREAD_OPERANDS", 0) != 0;
  first.fail_allocation = static_cast<int>(from_environment("KERN_TEST_FAIL_ALLOCATION", 0));
  return first;
}();
std::uint64_t launches = 0;
std::uint64_t bytes_taken = 0;

/// Whether a countdown that a test has set ends with this call.
bool runs_out(int& countdown) { return countdown > 0 && --countdown == 0; }

struct StoredCall {
  cuda::KernelCall call;
  std::vector<std::max_align_t> arguments;
};

class HostRecording final : public cuda::Recording {
public:
  int launches() const override { return kernels; }
  std::vector<std::function<void()>> steps;
  int kernels = 0;
};

class HostDevice final : public cuda::Device {
public:
  explicit HostDevice(int index) : info_(cuda::device_info(index)) {}
  ~HostDevice() override {
    for (const auto& [memory, bytes] : allocations_) {
      std::free(memory);
      bytes_taken -= bytes;
    }
  }

  const cuda::DeviceInfo& info() const override { return info_; }
  std::uint64_t free_bytes() override { return options.memory_bytes - std::min(options.memory_bytes, bytes_taken); }

  std::byte* allocate(std::size_t bytes) override {
    if (runs_out(options.fail_allocation) || bytes > free_bytes())
      throw cuda::DeviceMemoryError(
          fmt::format("{}: no room for {} bytes, {} are free", info_.name, bytes, free_bytes()));
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(256, (bytes + 255) / 256 * 256 + 256));
    std::memset(memory, 0xFF, bytes); // not a number in any format
    allocations_[memory] = bytes;
    bytes_taken += bytes;
    return memory;
  }
  void release(std::byte* memory) noexcept override {
    const auto found = allocations_.find(memory);
    if (found == allocations_.end()) return;
    bytes_taken -= found->second;
    std::free(memory);
    allocations_.erase(found);
  }
  std::byte* allocate_pinned(std::size_t bytes) override {
    if (runs_out(options.fail_allocation)) throw cuda::DeviceMemoryError("no host memory to copy from");
    return static_cast<std::byte*>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  }
  void release_pinned(std::byte* memory) noexcept override { std::free(memory); }

  void clear(std::byte* memory, std::size_t bytes) override {
    enqueue([=] { std::memset(memory, 0, bytes); });
  }
  void copy_in(const void* pinned, std::byte* to, std::size_t bytes) override {
    enqueue([=] { std::memcpy(to, pinned, bytes); });
  }
  void copy_out(const std::byte* from, void* pinned, std::size_t bytes) override {
    enqueue([=] { std::memcpy(pinned, from, bytes); });
  }
  void launch(const cuda::KernelCall& call) override {
    if (runs_out(options.fail_launch)) throw cuda::DeviceError(info_.name + ": a kernel failed: injected fault");
    if (call.shared_bytes > info_.shared_bytes)
      throw cuda::DeviceError(fmt::format("{}: a kernel wants {} bytes of shared memory, there are {}", info_.name,
                                          call.shared_bytes, info_.shared_bytes));
    StoredCall stored{call, {}};
    stored.arguments.resize((call.argument_bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
    std::memcpy(stored.arguments.data(), call.arguments, call.argument_bytes);
    if (recording_) ++recording_->kernels;
    enqueue([stored = std::move(stored)] {
      ++launches;
      run_grid(stored.call.grid, stored.call.threads, stored.call.shared_bytes, options.order,
               [&] { stored.call.invoke(stored.call.kernel, stored.arguments.data()); });
    });
  }

  std::uint64_t mark() override { return ++marker_; }
  void wait(std::uint64_t) override {}
  void synchronize() override {
    if (recording_) throw cuda::DeviceError(info_.name + ": waited for while a step is recorded");
  }

  void begin_recording() override { recording_ = std::make_unique<HostRecording>(); }
  std::unique_ptr<cuda::Recording> end_recording() override { return std::move(recording_); }
  void replay(const cuda::Recording& recording) override {
    for (const auto& step : static_cast<const HostRecording&>(recording).steps) step();
  }

private:
  void enqueue(std::function<void()> step) {
    if (recording_) recording_->steps.push_back(std::move(step));
    else step();
  }

  cuda::DeviceInfo info_;
  std::map<std::byte*, std::size_t> allocations_;
  std::unique_ptr<HostRecording> recording_;
  std::uint64_t marker_ = 0;
};

} // namespace

HostDeviceOptions& host_device() { return options; }
bool operands_are_misread() { return options.misread_operands; }
bool copies_get_lost() { return options.lose_copies; }
std::uint64_t host_device_launches() { return launches; }
std::uint64_t host_device_bytes() { return bytes_taken; }

} // namespace kern::test

namespace kern::cuda {

int device_count(std::string* reason) {
  if (test::host_device().devices == 0 && reason) *reason = "no devices are pretended";
  return test::host_device().devices;
}

DeviceInfo device_info(int index) {
  if (index < 0 || index >= test::host_device().devices)
    throw DeviceError(fmt::format("device {}: there are {}", index, test::host_device().devices));
  DeviceInfo info;
  info.name = "host as a device";
  info.major = test::host_device().major;
  info.multiprocessors = test::host_device().multiprocessors;
  info.shared_bytes = test::host_device().shared_bytes;
  info.total_bytes = test::host_device().memory_bytes;
  info.free_bytes = info.total_bytes - std::min(info.total_bytes, test::host_device_bytes());
  return info;
}

std::unique_ptr<Device> open_device(int index) { return std::make_unique<test::HostDevice>(index); }

} // namespace kern::cuda
