// One GPU as its driver shows it: memory, copies, kernel launches and recorded steps, all in the order of one stream.
// No CUDA header is needed to use it. runtime.cu implements it with the CUDA runtime; the tests link another
// implementation, which executes kernels on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace kern::cuda {

/// The driver or a kernel failed. what() is one line that says what was asked for and what came back.
class DeviceError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The device has no room for an allocation. what() is one line with both sizes.
class DeviceMemoryError : public std::bad_alloc {
public:
  explicit DeviceMemoryError(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

private:
  std::string message_;
};

/// Blocks of a grid.
struct Grid {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

struct DeviceInfo {
  std::string name;
  int major = 0; // compute capability
  int minor = 0;
  int multiprocessors = 0;
  std::size_t shared_bytes = 0; // that a block can have
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0; // when asked
};

/// Devices that can be used. Where there are none, `reason` (may be null) becomes one line that says why.
int device_count(std::string* reason = nullptr);
/// Throws DeviceError.
DeviceInfo device_info(int index);

/// A kernel with its arguments, ready to be launched.
struct KernelCall {
  const void* kernel = nullptr;
  void (*invoke)(const void* kernel, const void* arguments) = nullptr; // for an executor that has no launch of its own
  const void* arguments = nullptr;                                     // copied by the launch
  std::size_t argument_bytes = 0;
  Grid grid;
  unsigned threads = 0; // of a block, a multiple of 32
  std::size_t shared_bytes = 0;
};

/// A recorded run of launches and copies on the device, replayed at the cost of one launch.
class Recording {
public:
  virtual ~Recording() = default;
  /// Kernels in it.
  virtual int launches() const = 0;
};

class Device {
public:
  virtual ~Device() = default;

  virtual const DeviceInfo& info() const = 0;

  /// Whether products of prompts use sm_90a's instructions for warpgroups. Off until check_warpgroup_products() has
  /// seen right results of them.
  bool warpgroup_products() const { return warpgroup_products_; }
  void use_warpgroup_products(bool on) { warpgroup_products_ = on; }

  virtual std::uint64_t free_bytes() = 0;

  /// Device memory, 256-byte aligned, not initialised. Throws DeviceMemoryError.
  virtual std::byte* allocate(std::size_t bytes) = 0;
  virtual void release(std::byte* memory) noexcept = 0;
  /// Host memory that copies can run from while the host goes on. Throws DeviceMemoryError.
  virtual std::byte* allocate_pinned(std::size_t bytes) = 0;
  virtual void release_pinned(std::byte* memory) noexcept = 0;

  // Enqueued, in order; all throw DeviceError where an earlier operation has failed.
  virtual void clear(std::byte* memory, std::size_t bytes) = 0;
  /// `pinned` must keep its contents until a marker after it has passed.
  virtual void copy_in(const void* pinned, std::byte* to, std::size_t bytes) = 0;
  virtual void copy_out(const std::byte* from, void* pinned, std::size_t bytes) = 0;
  virtual void launch(const KernelCall& call) = 0;

  /// A point in the stream, numbered from 1.
  virtual std::uint64_t mark() = 0;
  /// Waits until the device has passed it.
  virtual void wait(std::uint64_t marker) = 0;
  /// Waits for everything enqueued.
  virtual void synchronize() = 0;

  /// From here to the end launches are recorded instead of run.
  virtual void begin_recording() = 0;
  virtual std::unique_ptr<Recording> end_recording() = 0;
  virtual void replay(const Recording& recording) = 0;

private:
  bool warpgroup_products_ = false;
};

/// Opens a device. Throws DeviceError.
std::unique_ptr<Device> open_device(int index);

/// Launches `kernel`, a __global__ function of one plain struct.
template <class Arguments>
void launch(Device& device, void (*kernel)(Arguments), Grid grid, unsigned threads, std::size_t shared_bytes,
            const Arguments& arguments) {
  static_assert(std::is_trivially_copyable_v<Arguments> && sizeof(Arguments) <= 4096);
  KernelCall call;
  call.kernel = reinterpret_cast<const void*>(kernel);
  call.invoke = [](const void* function, const void* from) {
    reinterpret_cast<void (*)(Arguments)>(const_cast<void*>(function))(*static_cast<const Arguments*>(from));
  };
  call.arguments = &arguments;
  call.argument_bytes = sizeof(Arguments);
  call.grid = grid;
  call.threads = threads;
  call.shared_bytes = shared_bytes;
  device.launch(call);
}

} // namespace kern::cuda
