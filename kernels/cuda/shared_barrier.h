// Barriers in shared memory that count arrivals of threads and bytes of copies, and copies in one piece that they count
// (sm_90 and above). With nvcc the instructions; elsewhere (tests/device_on_host) functions.
//
// A barrier's phases have parity 0, 1, 0 ..; one ends when all arrivals and all bytes that it expects have come.
#pragma once

#include "kernels/cuda/device.h"

namespace kern::cuda {

using SharedBarrier = std::uint64_t;

} // namespace kern::cuda

#if defined(__CUDACC__)

namespace kern::cuda {

/// By one thread; others see it after publish_shared() and a block barrier. PTX ISA, "mbarrier.init".
KERN_DEVICE void init_barrier(SharedBarrier& barrier, unsigned arrivals) {
#if __CUDA_ARCH__ >= 900
  const auto at = static_cast<std::uint32_t>(__cvta_generic_to_shared(&barrier));
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(at), "r"(arrivals) : "memory");
#endif
}
/// What this thread did before is seen by those that wait for the phase. PTX ISA, "mbarrier.arrive".
KERN_DEVICE void arrive(SharedBarrier& barrier) {
#if __CUDA_ARCH__ >= 900
  const auto at = static_cast<std::uint32_t>(__cvta_generic_to_shared(&barrier));
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(at) : "memory");
#endif
}
/// The same, and the phase expects so many bytes more. PTX ISA, "mbarrier.arrive" with ".expect_tx".
KERN_DEVICE void arrive_expecting(SharedBarrier& barrier, unsigned bytes) {
#if __CUDA_ARCH__ >= 900
  const auto at = static_cast<std::uint32_t>(__cvta_generic_to_shared(&barrier));
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(at), "r"(bytes) : "memory");
#endif
}
/// Copies from device to shared memory in the background, bytes and both addresses multiples of 16; the barrier counts
/// the bytes. What was there must have been read by threads whose arrival this thread has waited for.
/// PTX ISA, "cp.async.bulk".
KERN_DEVICE void copy_bulk(void* shared, const void* from, unsigned bytes, SharedBarrier& barrier) {
#if __CUDA_ARCH__ >= 900
  const auto to = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  const auto at = static_cast<std::uint32_t>(__cvta_generic_to_shared(&barrier));
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(at)
               : "memory");
#endif
}

/// Whether the phase of this parity has ended; waits a while for it. PTX ISA, "mbarrier.try_wait".
KERN_DEVICE bool phase_has_ended(SharedBarrier& barrier, unsigned parity) {
#if __CUDA_ARCH__ >= 900
  const auto at = static_cast<std::uint32_t>(__cvta_generic_to_shared(&barrier));
  std::uint32_t ended;
  asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
               : "=r"(ended)
               : "r"(at), "r"(parity)
               : "memory");
  return ended != 0;
#else
  return true;
#endif
}
KERN_DEVICE std::uint64_t clock_nanoseconds() {
  std::uint64_t time;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(time));
  return time;
}

/// Waits for the end of the phase of this parity. If it doesn't come for ten seconds, an error ends the kernel; or,
/// with `expired` in device memory, 0 before, that becomes 1 and all who wait go on.
KERN_DEVICE void wait_for_phase(SharedBarrier& barrier, unsigned parity, std::uint32_t* expired) {
  if (phase_has_ended(barrier, parity)) return;
  constexpr std::uint64_t longest = 10'000'000'000;
  const std::uint64_t begin = clock_nanoseconds();
  while (!phase_has_ended(barrier, parity)) {
    if (expired && *const_cast<volatile std::uint32_t*>(expired) != 0) return;
    if (clock_nanoseconds() - begin < longest) continue;
    if (!expired) asm volatile("trap;");
    *const_cast<volatile std::uint32_t*>(expired) = 1;
  }
}

} // namespace kern::cuda

#else
#include "host_barrier.h" // tests/device_on_host
#endif
