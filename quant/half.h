// IEEE binary16 and bfloat16 as bit patterns. The conversion instruction, where there is one, and the code beside it
// give the same bits for every pattern.
#pragma once

#include <cstdint>

#if defined(__F16C__) && !defined(__CUDACC__)
#include <immintrin.h>
#endif

// Always inlined: the same source is compiled for several instruction sets, and an out-of-line copy made for a newer
// one must never be linked into code for an older one.
#if defined(__CUDACC__)
#define KERN_INLINE __host__ __device__ __forceinline__
#else
#define KERN_INLINE [[gnu::always_inline]] inline
#endif

namespace kern {

/// Bits of a binary16 number: sign, 5 exponent bits, 10 fraction bits.
struct Half {
  std::uint16_t bits;
};

/// Bits of a bfloat16 number: the upper half of a binary32.
struct BFloat16 {
  std::uint16_t bits;
};

KERN_INLINE std::uint32_t float_bits(float value) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(value);
#else
  return __builtin_bit_cast(std::uint32_t, value);
#endif
}

KERN_INLINE float bits_float(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  return __builtin_bit_cast(float, bits);
#endif
}

/// Exact: every binary16 number is a binary32 number. NaN payloads are kept and quieted, as F16C does.
KERN_INLINE float to_float(Half half) {
#if defined(__CUDA_ARCH__)
  float value; // of NaN only that it is one
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half.bits));
  return value;
#elif defined(__F16C__) && !defined(__CUDACC__)
  return _cvtsh_ss(half.bits);
#else
  const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000u) << 16;
  const std::uint32_t magnitude = half.bits & 0x7FFFu;
  if (magnitude >= 0x7C00u) {
    const std::uint32_t quiet = magnitude > 0x7C00u ? 0x00400000u : 0u;
    return bits_float(sign | 0x7F800000u | (magnitude << 13) | quiet);
  }
  if (magnitude >= 0x0400u) return bits_float(sign | ((magnitude << 13) + 0x38000000u));
  // Subnormal: the fraction counts units of 2^-24; the product is exact.
  return bits_float(sign | float_bits(static_cast<float>(magnitude) * 0x1p-24f));
#endif
}

KERN_INLINE float to_float(BFloat16 value) { return bits_float(static_cast<std::uint32_t>(value.bits) << 16); }

/// Round to nearest, ties to even; overflow gives infinity, NaN stays NaN (quieted, payload truncated).
KERN_INLINE Half to_half(float value) {
#if defined(__CUDA_ARCH__)
  Half half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half.bits) : "f"(value));
  return half;
#else
  const std::uint32_t bits = float_bits(value);
  const std::uint16_t sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return Half{static_cast<std::uint16_t>(sign | 0x7E00u | ((magnitude >> 13) & 0x3FFu))};
  if (magnitude >= 0x477FF000u) return Half{static_cast<std::uint16_t>(sign | 0x7C00u)}; // rounds to 65536 or more
  if (magnitude >= 0x38800000u) {
    const std::uint32_t odd = (magnitude >> 13) & 1u;
    return Half{static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000u + 0xFFFu + odd) >> 13))};
  }
  // Subnormal result: adding 0.5 makes the float adder round at 2^-24, half's smallest step.
  const float shifted = bits_float(magnitude) + 0.5f;
  return Half{static_cast<std::uint16_t>(sign | (float_bits(shifted) - 0x3F000000u))};
#endif
}

/// Round to nearest, ties to even; NaN stays NaN.
KERN_INLINE BFloat16 to_bfloat16(float value) {
  const std::uint32_t bits = float_bits(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return BFloat16{static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return BFloat16{static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16)};
}

} // namespace kern
