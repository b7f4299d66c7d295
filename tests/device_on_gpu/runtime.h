// What tests of device_on_host set and see, where their kernels run on a real GPU: nothing of it has an effect.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kern::test {

enum class ThreadOrder { forward, backward, scattered };

inline constexpr bool device_is_host = false;

struct HostDeviceOptions {
  std::uint64_t memory_bytes = 0;
  int major = 0;
  int multiprocessors = 0;
  std::size_t shared_bytes = 0;
  ThreadOrder order = ThreadOrder::forward;
  bool misread_operands = false;
  bool lose_copies = false;
};

inline HostDeviceOptions& host_device() {
  static HostDeviceOptions options;
  return options;
}
inline std::uint64_t host_device_bytes() { return 0; }

} // namespace kern::test
