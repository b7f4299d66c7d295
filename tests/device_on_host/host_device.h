// Kernels on the CPU: what kernels/cuda/device.h names, as functions. The threads of a block are fibers that run until
// they meet a barrier or trade values with their warp; see grid.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/half.h"

#define __global__
#define __device__
#define __launch_bounds__(...)
#define KERN_DEVICE inline
#define KERN_UNROLL
#define KERN_NO_UNROLL
#define KERN_UNROLL_BY(count)

struct alignas(16) uint4 {
  std::uint32_t x, y, z, w;
};
struct alignas(8) uint2 {
  std::uint32_t x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};

namespace kern::test {

/// The thread that runs, as it sees itself.
struct ThreadPlace {
  int thread = 0, threads = 0;
  int block_x = 0, block_y = 0, block_z = 0;
  int grid_x = 0, grid_y = 0;
  std::byte* shared = nullptr;
};
extern thread_local ThreadPlace here;

/// The thread has waited for what other kernels wrote.
void note_inputs();
/// Waits for all threads of the block, or of the warp.
void wait_for_block();
void wait_for_warp();
/// Every lane gives `bytes` (at most 64) and sees what all 32 gave, [32][64], until it trades again.
const std::byte* trade(const void* mine, std::size_t bytes);
/// What copy_async and its kin do.
void copy_in_background(void* to, const void* from, std::size_t bytes);
void commit_copies();
void wait_for_copies(int newest);
/// Something that has to be aligned isn't: the launch will throw.
void report_misaligned();

} // namespace kern::test

namespace kern::cuda {

inline int thread_index() { return test::here.thread; }
inline int block_threads() { return test::here.threads; }
inline int block_x() { return test::here.block_x; }
inline int block_y() { return test::here.block_y; }
inline int block_z() { return test::here.block_z; }
inline int grid_x() { return test::here.grid_x; }
inline int grid_y() { return test::here.grid_y; }

inline void wait_for_inputs() { test::note_inputs(); }
inline void block_barrier() { test::wait_for_block(); }
inline void warp_barrier() { test::wait_for_warp(); }
template <class Shared> Shared& shared_memory() { return *reinterpret_cast<Shared*>(test::here.shared); }

template <class Value> Value from_lane(Value value, int lane) {
  Value other;
  std::memcpy(&other, test::trade(&value, sizeof value) + (lane & 31) * 64, sizeof other);
  return other;
}
template <class Value> Value from_lane_xor(Value value, int mask) {
  return from_lane(value, (thread_index() & 31) ^ mask);
}
inline unsigned lanes_where(bool condition) {
  const std::byte* all = test::trade(&condition, sizeof condition);
  unsigned lanes = 0;
  for (int lane = 0; lane < 32; ++lane) lanes |= (all[lane * 64] != std::byte{0} ? 1u : 0u) << lane;
  return lanes;
}

inline int dot_bytes(std::uint32_t a, std::uint32_t b, int c) {
  for (int i = 0; i < 4; ++i)
    c += static_cast<std::int8_t>(a >> (8 * i) & 0xFFu) * static_cast<std::int8_t>(b >> (8 * i) & 0xFFu);
  return c;
}
inline std::uint32_t select_bytes(std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(b) << 32 | a;
  std::uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t which = selector >> (4 * i) & 15u;
    std::uint32_t byte = static_cast<std::uint32_t>(bytes >> (8 * (which & 7u))) & 0xFFu;
    if (which & 8u) byte = (byte & 0x80u) != 0 ? 0xFFu : 0u; // its sign, eight times
    result |= byte << (8 * i);
  }
  return result;
}

inline float2 widen_halves(std::uint32_t pair) {
  return {to_float(Half{static_cast<std::uint16_t>(pair)}), to_float(Half{static_cast<std::uint16_t>(pair >> 16)})};
}

inline float square_root(float x) { return __builtin_sqrtf(x); }
inline float divide(float a, float b) { return a / b; }

inline std::uint32_t pack_halves(float lower, float upper) {
  return to_half(lower).bits | static_cast<std::uint32_t>(to_half(upper).bits) << 16;
}
inline std::uint32_t pack_bfloats(float lower, float upper) {
  return to_bfloat16(lower).bits | static_cast<std::uint32_t>(to_bfloat16(upper).bits) << 16;
}

template <class Integer> Integer atomic_add(Integer* at, Integer value) {
  return std::atomic_ref<Integer>(*at).fetch_add(value);
}
inline void device_fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

inline uint4 load_once(const uint4* from) { return *from; }
inline uint2 load_once(const uint2* from) { return *from; }
inline void copy_async(void* shared, const void* from) { test::copy_in_background(shared, from, 16); }
inline void copy_word_async(void* shared, const void* from) { test::copy_in_background(shared, from, 4); }
inline void commit_copies() { test::commit_copies(); }
template <int newest> void wait_copies() { test::wait_for_copies(newest); }

/// What a lane gives to a matrix product: a [4], then b [2].
inline const std::byte* trade_fragments(const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  std::uint32_t both[6];
  std::memcpy(both, a, sizeof a);
  std::memcpy(both + 4, b, sizeof b);
  return test::trade(both, sizeof both);
}
inline std::uint32_t fragment_word(const std::byte* all, int lane, int index) {
  std::uint32_t word;
  std::memcpy(&word, all + lane * 64 + index * 4, 4);
  return word;
}

/// As PTX says where elements stand; see kernels/cuda/device.h.
inline void multiply_bytes(int (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  const std::byte* all = trade_fragments(a, b);
  const int lane = thread_index() & 31;
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8;
    const int column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 32; k += 4) {
      const int part = k % 16 / 4; // of the four lanes that share a row or column
      const std::uint32_t from_a = fragment_word(all, row % 8 * 4 + part, k / 16 * 2 + row / 8);
      const std::uint32_t from_b = fragment_word(all, column * 4 + part, 4 + k / 16);
      d[i] = dot_bytes(from_a, from_b, d[i]);
    }
  }
}

inline void multiply_bytes_from(int c, int (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  for (int& element : d) element = c;
  multiply_bytes(d, a, b);
}
inline void multiply_bytes_16_from(int c, int (&d)[4], std::uint32_t a0, std::uint32_t a1, std::uint32_t b) {
  multiply_bytes_from(c, d, {a0, a1, 0, 0}, {b, 0});
}
inline void load_matrices(std::uint32_t (&to)[4], const void* row) {
  const std::byte* all = test::trade(&row, sizeof row);
  const int lane = thread_index() & 31;
  for (int matrix = 0; matrix < 4; ++matrix) {
    const std::byte* from;
    std::memcpy(&from, all + (matrix * 8 + lane / 4) * 64, sizeof from);
    if (reinterpret_cast<std::uintptr_t>(from) % 16 != 0) test::report_misaligned();
    std::memcpy(&to[matrix], from + lane % 4 * 4, 4);
  }
}

template <class Convert>
void multiply_pairs(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], Convert&& convert) {
  const std::byte* all = trade_fragments(a, b);
  const int lane = thread_index() & 31;
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8;
    const int column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) {
      const int part = k % 8 / 2;
      const std::uint32_t from_a = fragment_word(all, row % 8 * 4 + part, k / 8 * 2 + row / 8);
      const std::uint32_t from_b = fragment_word(all, column * 4 + part, 4 + k / 8);
      const int shift = k % 2 * 16;
      d[i] +=
          convert(static_cast<std::uint16_t>(from_a >> shift)) * convert(static_cast<std::uint16_t>(from_b >> shift));
    }
  }
}
inline void multiply_halves(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  multiply_pairs(d, a, b, [](std::uint16_t bits) { return to_float(Half{bits}); });
}
inline void multiply_bfloats(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  multiply_pairs(d, a, b, [](std::uint16_t bits) { return to_float(BFloat16{bits}); });
}

} // namespace kern::cuda
