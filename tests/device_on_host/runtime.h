// The host as a device: what the tests can set and see of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device_on_host/grid.h"

namespace kern::test {

inline constexpr bool device_is_host = true;

struct HostDeviceOptions {
  int devices = 1;                                     // that device_count() finds
  std::uint64_t memory_bytes = std::uint64_t{2} << 30; // that allocations may take together
  int major = 9;                                       // of the compute capability
  int multiprocessors = 4;
  std::size_t shared_bytes = std::size_t{227} << 10; // that a block can have
  int fail_allocation = 0;                           // the n-th from now on fails, 0: none
  int fail_launch = 0;                               // the n-th from now on reports a fault, 0: none
  ThreadOrder order = ThreadOrder::forward;
  bool misread_operands = false; // of warpgroups' products: as hardware would that knows another swizzle
  bool lose_copies = false;      // in one piece
};
/// Of all devices; what tests change they put back.
HostDeviceOptions& host_device();

/// Kernels run since the start of the process.
std::uint64_t host_device_launches();
/// Bytes of device memory taken now.
std::uint64_t host_device_bytes();

} // namespace kern::test
