// What tests of device_on_host set and see, where their kernels run on a real GPU: nothing of it has an effect.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kern::test {

enum class ThreadOrder { forward, backward, scattered };

struct HostDeviceOptions {
  std::size_t shared_bytes = 0;
  ThreadOrder order = ThreadOrder::forward;
};

inline HostDeviceOptions& host_device() {
  static HostDeviceOptions options;
  return options;
}

} // namespace kern::test
