// What sm_90a has for warpgroups, 128 threads that multiply matrices in shared memory together while they do other
// work. With nvcc the instructions; elsewhere (tests/device_on_host) functions that read the same descriptors.
//
// How operands lie: operand_places.h. PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions": "Matrix Descriptor
// Format".
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/operand_places.h"

namespace kern::cuda {

inline constexpr unsigned warpgroup_threads = 128;
inline constexpr unsigned warpgroup_rows = 64; // of a and d

/// A descriptor: bits 0..13 the address, 16..29 the distance along k (swizzled: has none), 32..45 that of eight rows,
/// all in units of 16 bytes; 62..63 the kind.
KERN_INLINE constexpr std::uint64_t swizzled_operand(std::uint32_t shared_address) {
  return shared_address >> 4 | std::uint64_t{1} << 16 | std::uint64_t{8 * operand_row_bytes / 16} << 32 |
         std::uint64_t{1} << 62;
}
KERN_INLINE constexpr std::uint64_t plain_operand(std::uint32_t shared_address) {
  return shared_address >> 4 | std::uint64_t{128 / 16} << 16 | std::uint64_t{256 / 16} << 32;
}
/// What is added to a descriptor for an operand so many bytes further.
KERN_INLINE constexpr std::uint64_t operand_offset(unsigned bytes) { return bytes / 16; }

} // namespace kern::cuda

#if defined(__CUDACC__)

namespace kern::cuda {

/// Whether this code is for sm_90a: on other devices kernels for warpgroups are empty.
#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
inline constexpr bool has_warpgroup_products = true;
#else
inline constexpr bool has_warpgroup_products = false;
#endif

/// An address as descriptors want it.
KERN_DEVICE std::uint32_t shared_address(const void* shared) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
}

/// What this thread wrote to shared memory, and what its finished copies brought, is seen by products that begin after
/// the next barrier. PTX ISA, "fence.proxy.async".
KERN_DEVICE void publish_shared() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

/// Stands between the last use of registers and the products that get them. PTX ISA, "wgmma.fence".
KERN_DEVICE void begin_warpgroup_products() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
/// Products since the last call are a group. PTX ISA, "wgmma.commit_group".
KERN_DEVICE void commit_warpgroup_products() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Registers of a thread's part of d, as operands of an instruction, and their names in it. The names of what follows
// depend on how many there are.
#define KERN_EIGHT(constraint, n)                                                                                      \
  constraint(d[n]), constraint(d[n + 1]), constraint(d[n + 2]), constraint(d[n + 3]), constraint(d[n + 4]),            \
      constraint(d[n + 5]), constraint(d[n + 6]), constraint(d[n + 7])
#define KERN_32_REGISTERS(constraint)                                                                                  \
  KERN_EIGHT(constraint, 0), KERN_EIGHT(constraint, 8), KERN_EIGHT(constraint, 16), KERN_EIGHT(constraint, 24)
#define KERN_64_REGISTERS(constraint)                                                                                  \
  KERN_32_REGISTERS(constraint), KERN_EIGHT(constraint, 32), KERN_EIGHT(constraint, 40), KERN_EIGHT(constraint, 48),   \
      KERN_EIGHT(constraint, 56)
#define KERN_32_NAMES                                                                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                                             \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define KERN_64_NAMES                                                                                                  \
  KERN_32_NAMES ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "                   \
                "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"

/// Waits until at most the n newest groups are under way; d belongs to one that is not: it is an operand of something
/// that stands behind the wait, so that no use of it comes before. PTX ISA, "wgmma.wait_group".
template <int newest> KERN_DEVICE void wait_warpgroup_products(int (&d)[64]) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(newest) : "memory");
  asm volatile("" : KERN_64_REGISTERS("+r") : : "memory");
#endif
}
template <int newest> KERN_DEVICE void wait_warpgroup_products(float (&d)[64]) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(newest) : "memory");
  asm volatile("" : KERN_64_REGISTERS("+f") : : "memory");
#endif
}

/// The same where all that is wanted of those that are not under way is that they have read their operands.
template <int newest> KERN_DEVICE void wait_warpgroup_operands() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(newest) : "memory");
#endif
}

/// d [64][128] = a [64][32] * b [32][128] (+ d), d as above with 16 times eight columns. a is in registers, which
/// nobody touches before the wait either: of warp w rows 16 w + g and 16 w + g + 8, bytes 4t .. 4t + 3 of both, then
/// bytes 16 + 4t .. of both. Both signed, or unsigned with signed, or both unsigned. PTX ISA, "Register Fragments for
/// wgmma.mma_async.m64nNk32".
#define KERN_FRAGMENT_PRODUCT(types)                                                                                   \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\n"                                                            \
               "wgmma.mma_async.sync.aligned.m64n128k32.s32." types " {" KERN_64_NAMES                                 \
               "}, {%64, %65, %66, %67}, %68, p;\n}"                                                                   \
               : KERN_64_REGISTERS("+r")                                                                               \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate ? 1 : 0))
KERN_DEVICE void warpgroup_multiply_bytes(int (&d)[64], std::uint32_t (&a)[4], std::uint64_t b, bool accumulate) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  KERN_FRAGMENT_PRODUCT("s8.s8");
#endif
}
KERN_DEVICE void warpgroup_multiply_unsigned_signed(int (&d)[64], std::uint32_t (&a)[4], std::uint64_t b,
                                                    bool accumulate) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  KERN_FRAGMENT_PRODUCT("u8.s8");
#endif
}
KERN_DEVICE void warpgroup_multiply_unsigned(int (&d)[64], std::uint32_t (&a)[4], std::uint64_t b, bool accumulate) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  KERN_FRAGMENT_PRODUCT("u8.u8");
#endif
}
#undef KERN_FRAGMENT_PRODUCT

/// d [64][128] = a [64][16] * b [16][128] (+ d), numbers of 16 bits, sums in float; d as above. The order in which the
/// device adds is its own. PTX ISA, "Register Fragments for wgmma.mma_async.m64nNk16".
KERN_DEVICE void warpgroup_multiply_halves(float (&d)[64], std::uint64_t a, std::uint64_t b, bool accumulate) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
               "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {" KERN_64_NAMES "}, %64, %65, p, 1, 1, 0, 0;\n}"
               : KERN_64_REGISTERS("+f")
               : "l"(a), "l"(b), "r"(accumulate ? 1 : 0));
#endif
}
KERN_DEVICE void warpgroup_multiply_bfloats(float (&d)[64], std::uint64_t a, std::uint64_t b, bool accumulate) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
               "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" KERN_64_NAMES "}, %64, %65, p, 1, 1, 0, 0;\n}"
               : KERN_64_REGISTERS("+f")
               : "l"(a), "l"(b), "r"(accumulate ? 1 : 0));
#endif
}

#undef KERN_64_NAMES
#undef KERN_32_NAMES
#undef KERN_64_REGISTERS
#undef KERN_32_REGISTERS
#undef KERN_EIGHT

} // namespace kern::cuda

#else
#include "host_warpgroup.h" // tests/device_on_host
#endif
