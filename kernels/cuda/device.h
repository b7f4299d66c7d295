// What kernels are written in: a thin name for every instruction that C++ has no word for. With nvcc they are the
// instructions; elsewhere (tests/device_on_host) a block's threads run as fibers and the same names are functions.
//
// Kernels take one plain struct, use one-dimensional blocks of a multiple of 32 threads, and keep shared memory in one
// struct: `Shared& s = shared_memory<Shared>()`, its size given to the launch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/math.h"
#include "quant/half.h"

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#define KERN_DEVICE __device__ __forceinline__

// Before a loop: all of it, or so many steps, as one; or not.
#define KERN_PRAGMA(text) _Pragma(#text)
#define KERN_UNROLL KERN_PRAGMA(unroll)
#define KERN_UNROLL_BY(count) KERN_PRAGMA(unroll count)
#define KERN_NO_UNROLL KERN_PRAGMA(unroll 1)

namespace kern::cuda {

KERN_DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
KERN_DEVICE int block_threads() { return static_cast<int>(blockDim.x); }
KERN_DEVICE int block_x() { return static_cast<int>(blockIdx.x); }
KERN_DEVICE int block_y() { return static_cast<int>(blockIdx.y); }
KERN_DEVICE int block_z() { return static_cast<int>(blockIdx.z); }
KERN_DEVICE int grid_x() { return static_cast<int>(gridDim.x); }
KERN_DEVICE int grid_y() { return static_cast<int>(gridDim.y); }

/// A kernel may begin before the one before it has ended. From here on all that was written before is seen, and the
/// next kernel may begin; until here only what no kernel writes may be read, and nothing written. Every thread of every
/// kernel comes by here.
KERN_DEVICE void wait_for_inputs() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

/// All threads of the block.
KERN_DEVICE void block_barrier() { __syncthreads(); }
/// All 32 threads of the warp.
KERN_DEVICE void warp_barrier() { __syncwarp(); }

template <class Shared> KERN_DEVICE Shared& shared_memory() {
  extern __shared__ __align__(1024) unsigned char kern_shared_memory[];
  return *reinterpret_cast<Shared*>(kern_shared_memory);
}

/// The value of the warp's lane `lane` (of the lane whose number differs by `mask`).
template <class Value> KERN_DEVICE Value from_lane(Value value, int lane) {
  return __shfl_sync(0xFFFFFFFFu, value, lane);
}
template <class Value> KERN_DEVICE Value from_lane_xor(Value value, int mask) {
  return __shfl_xor_sync(0xFFFFFFFFu, value, mask);
}
/// Bit i: whether the condition holds in lane i.
KERN_DEVICE unsigned lanes_where(bool condition) { return __ballot_sync(0xFFFFFFFFu, condition); }

/// c + the dot product of four signed bytes.
KERN_DEVICE int dot_bytes(std::uint32_t a, std::uint32_t b, int c) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 610
  return __dp4a(static_cast<int>(a), static_cast<int>(b), c);
#else
  return c;
#endif
}
/// Byte i is byte `selector >> 4i & 7` of the eight bytes of a (0..3) and b (4..7).
KERN_DEVICE std::uint32_t select_bytes(std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
  return __byte_perm(a, b, selector);
}

/// Two binary16 numbers, the low half first.
KERN_DEVICE float2 widen_halves(std::uint32_t pair) {
  float2 value;
  asm("{.reg .b16 low, high;\n"
      " mov.b32 {low, high}, %2;\n"
      " cvt.f32.f16 %0, low;\n"
      " cvt.f32.f16 %1, high;}"
      : "=f"(value.x), "=f"(value.y)
      : "r"(pair));
  return value;
}

/// Correctly rounded, as on the host.
KERN_DEVICE float square_root(float x) { return __fsqrt_rn(x); }
KERN_DEVICE float divide(float a, float b) { return __fdiv_rn(a, b); }

/// Two floats rounded to nearest, ties to even, as the lower and the upper half of a word.
KERN_DEVICE std::uint32_t pack_halves(float lower, float upper) {
#if __CUDA_ARCH__ >= 800
  std::uint32_t word;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(upper), "f"(lower));
  return word;
#else
  return to_half(lower).bits | static_cast<std::uint32_t>(to_half(upper).bits) << 16;
#endif
}
KERN_DEVICE std::uint32_t pack_bfloats(float lower, float upper) {
#if __CUDA_ARCH__ >= 800
  std::uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(upper), "f"(lower));
  return word;
#else
  return to_bfloat16(lower).bits | static_cast<std::uint32_t>(to_bfloat16(upper).bits) << 16;
#endif
}

/// Adds to device or shared memory; returns what was there.
KERN_DEVICE int atomic_add(int* at, int value) { return atomicAdd(at, value); }
KERN_DEVICE std::uint64_t atomic_add(std::uint64_t* at, std::uint64_t value) {
  return atomicAdd(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(value));
}
/// What this thread wrote before is seen by others on the device before what it writes after.
KERN_DEVICE void device_fence() { __threadfence(); }

/// 16 bytes that are read once, past the first-level cache. Volatile, so that none comes before wait_for_inputs(); not
/// by way of the read-only cache, because a kernel may begin while what it will read is written.
KERN_DEVICE uint4 load_once(const uint4* from) {
  uint4 value;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "l"(from));
  return value;
}
/// The same of 8 bytes.
KERN_DEVICE uint2 load_once(const uint2* from) {
  uint2 value;
  asm volatile("ld.global.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(value.x), "=r"(value.y) : "l"(from));
  return value;
}

/// Copies 16 bytes from device to shared memory (both 16-byte aligned) in the background; `wait_copies<n>` waits until
/// at most the n newest committed groups of this thread are under way.
KERN_DEVICE void copy_async(void* shared, const void* from) {
#if __CUDA_ARCH__ >= 800
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from));
#else
  *static_cast<uint4*>(shared) = *static_cast<const uint4*>(from);
#endif
}
/// 4 bytes, anywhere.
KERN_DEVICE void copy_word_async(void* shared, const void* from) {
#if __CUDA_ARCH__ >= 800
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(from));
#else
  *static_cast<std::uint32_t*>(shared) = *static_cast<const std::uint32_t*>(from);
#endif
}
KERN_DEVICE void commit_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;");
#endif
}
template <int newest> KERN_DEVICE void wait_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(newest));
#endif
}

/// d [16][8] += a [16][32] * b [32][8], signed bytes, by one warp. Lane l, with g = l / 4 and t = l % 4, holds
///   a[0..3]: bytes 4t..4t+3 of rows g, g + 8, then 16 + 4t.. of rows g, g + 8
///   b[0..1]: bytes 4t..4t+3, 16 + 4t.. of column g
///   d[0..3]: columns 2t, 2t + 1 of row g, then of row g + 8
/// PTX ISA, "Matrix Fragments for mma.m16n8k32".
KERN_DEVICE void multiply_bytes(int (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  const auto quarter = [](int& d0, int& d1, std::uint32_t rows, std::uint32_t columns) {
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
                 : "+r"(d0), "+r"(d1)
                 : "r"(rows), "r"(columns));
  };
  quarter(d[0], d[1], a[0], b[0]);
  quarter(d[0], d[1], a[2], b[1]);
  quarter(d[2], d[3], a[1], b[0]);
  quarter(d[2], d[3], a[3], b[1]);
#endif
}

/// The same, d = a * b + c with c in every element.
KERN_DEVICE void multiply_bytes_from(int c, int (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%10, %10, %10, %10};"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c));
#else
  for (int& element : d) element = c;
  multiply_bytes(d, a, b);
#endif
}

/// The same of half the columns: d [16][8] = a [16][16] * b [16][8] + c, c in every element.
///   a0, a1: bytes 4t..4t+3 of rows g, g + 8;   b: of column g
/// PTX ISA, "Matrix Fragments for mma.m16n8k16 with integer type".
KERN_DEVICE void multiply_bytes_16_from(int c, int (&d)[4], std::uint32_t a0, std::uint32_t a1, std::uint32_t b) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %7, %7, %7};"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(a0), "r"(a1), "r"(b), "r"(c));
#else
  asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%4, %4};"
               : "=r"(d[0]), "=r"(d[1])
               : "r"(a0), "r"(b), "r"(c));
  asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%4, %4};"
               : "=r"(d[2]), "=r"(d[3])
               : "r"(a1), "r"(b), "r"(c));
#endif
}

/// Four matrices of 8 rows by 16 bytes from shared memory: lane l names row l % 8 of matrix l / 8 (16-byte aligned),
/// and gets bytes 4t..4t+3 of row g of each. PTX ISA, "ldmatrix".
KERN_DEVICE void load_matrices(std::uint32_t (&to)[4], const void* row) {
  const auto from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

/// d [16][8] += a [16][16] * b [16][8], numbers of 16 bits, sums in float, by one warp. Lane l, g = l / 4, t = l % 4:
///   a[0..3]: pairs 2t, 2t+1 of rows g, g + 8, then 8 + 2t.. of rows g, g + 8
///   b[0..1]: pairs 2t, 2t+1, then 8 + 2t.. of column g
///   d[0..3]: as above
/// The order in which the device adds within one call is its own. PTX ISA, "Matrix Fragments for mma.m16n8k16".
KERN_DEVICE void multiply_halves(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  const auto half = [&](std::uint32_t low, std::uint32_t high, std::uint32_t columns) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(low), "r"(high), "r"(columns));
  };
  half(a[0], a[1], b[0]);
  half(a[2], a[3], b[1]);
#endif
}
KERN_DEVICE void multiply_bfloats(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

} // namespace kern::cuda

#else
#include "host_device.h" // tests/device_on_host
#endif
