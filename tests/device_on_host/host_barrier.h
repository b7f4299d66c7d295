// Barriers in shared memory on the CPU: what kernels/cuda/shared_barrier.h names, as functions.
//
// A copy in one piece comes at once, or as late as may be: when no thread can go on without it (grid.h).
#pragma once

#include "device_on_host/host_device.h"

namespace kern::test {

// The launch throws where a barrier is used before it is made, gets more arrivals than it counts, or counts other bytes
// than come; and where a copy is misaligned, empty, or leaves shared memory.
void init_barrier(std::uint64_t* barrier, unsigned arrivals);
/// Of a thread, with bytes that the phase expects.
void arrive(std::uint64_t* barrier, unsigned bytes);
void copy_bulk(void* shared, const void* from, unsigned bytes, std::uint64_t* barrier);
/// Where all threads wait for ever, the launch throws, unless all who wait for barriers have given `expired`.
void wait_for_phase(std::uint64_t* barrier, unsigned parity, std::uint32_t* expired);
/// Whether a copy in one piece is to get lost: for tests of what notices it.
bool copies_get_lost();

} // namespace kern::test

namespace kern::cuda {

inline void init_barrier(SharedBarrier& barrier, unsigned arrivals) { test::init_barrier(&barrier, arrivals); }
inline void arrive(SharedBarrier& barrier) { test::arrive(&barrier, 0); }
inline void arrive_expecting(SharedBarrier& barrier, unsigned bytes) { test::arrive(&barrier, bytes); }
inline void copy_bulk(void* shared, const void* from, unsigned bytes, SharedBarrier& barrier) {
  test::copy_bulk(shared, from, bytes, &barrier);
}
inline void wait_for_phase(SharedBarrier& barrier, unsigned parity, std::uint32_t* expired) {
  test::wait_for_phase(&barrier, parity, expired);
}

} // namespace kern::cuda
