// Elementary functions as one polynomial each, so that every instruction set gives the same bits. Nothing here calls
// libm: fma, division and square root are exactly defined by IEEE 754, everything else is built from them.
#pragma once

#include <cstdint>

#include "quant/half.h"

namespace kern {

/// a * b + c, rounded once.
KERN_INLINE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

/// To the nearest integer, ties to even, for |x| < 2^22. NaN gives NaN.
KERN_INLINE float round_even(float x) {
  constexpr float shift = 0x1.8p23f; // adding it leaves no fraction bits
  return (x + shift) - shift;
}

/// e^x. Error below 2 units in the last place; below -87.33 the result is 0 (no subnormals), above 88.72 infinity.
/// Cody-Waite reduction to |r| <= ln(2)/2 and the Taylor polynomial of degree 7 (remainder under 2^-27).
KERN_INLINE float exp_f32(float x) {
  const float low = -87.33654f;
  const float high = 88.72283f;
  const float clamped = x < low ? low : (x > high ? high : x);
  const float n = round_even(clamped * 0x1.715476p+0f);
  float r = fused(n, -0x1.62e4p-1f, clamped); // high part of ln 2: 15 bits, so n * part is exact
  r = fused(n, -0x1.7f7d1cp-20f, r);
  float p = 1.0f / 5040.0f;
  p = fused(p, r, 1.0f / 720.0f);
  p = fused(p, r, 1.0f / 120.0f);
  p = fused(p, r, 1.0f / 24.0f);
  p = fused(p, r, 1.0f / 6.0f);
  p = fused(p, r, 0.5f);
  p = fused(p, r, 1.0f);
  p = fused(p, r, 1.0f);
  // 2^n in two factors: n reaches 128, one more than an exponent can say.
  const float safe = n == n ? n : 0.0f;
  const std::int32_t exponent = static_cast<std::int32_t>(safe);
  const std::int32_t half = exponent / 2;
  const float scale_a = bits_float(static_cast<std::uint32_t>(half + 127) << 23);
  const float scale_b = bits_float(static_cast<std::uint32_t>(exponent - half + 127) << 23);
  const float value = p * scale_a * scale_b;
  const float infinity = bits_float(0x7F800000u);
  return x < low ? 0.0f : (x > high ? infinity : value);
}

/// 1 / (1 + e^-x)
KERN_INLINE float sigmoid_f32(float x) { return 1.0f / (1.0f + exp_f32(-x)); }

/// x * sigmoid(x)
KERN_INLINE float silu_f32(float x) { return x / (1.0f + exp_f32(-x)); }

/// e^x in double, |x| < 700, relative error below 1e-15: for tables made once and for sampling.
KERN_INLINE double exp_f64(double x) {
  constexpr double shift = 0x1.8p52;
  const double n = (x * 0x1.71547652b82fep+0 + shift) - shift;
  const double r = (x - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
  double p = 1.0;
  for (int i = 14; i >= 1; --i) p = 1.0 + p * r / i;
  const auto bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023) << 52;
  return p * __builtin_bit_cast(double, bits);
}

/// Natural logarithm of a normal positive double, absolute error below 1e-14 of the result's scale.
/// x = m * 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)) as a series.
KERN_INLINE double log_f64(double x) {
  auto bits = __builtin_bit_cast(std::uint64_t, x);
  auto exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
  double m = __builtin_bit_cast(double, (bits & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent += 1;
  }
  const double t = (m - 1.0) / (m + 1.0);
  const double t2 = t * t;
  double sum = 0.0;
  for (int i = 25; i >= 1; i -= 2) sum = sum * t2 + 1.0 / i;
  return static_cast<double>(exponent) * 0.69314718055994530942 + 2.0 * t * sum;
}

/// x^y for x >= 0 and not subnormal; results beyond e^-690 and e^690 count as 0 and e^690. 0^0 is 1.
KERN_INLINE double power_f64(double x, double y) {
  if (y == 0.0) return 1.0;
  if (x <= 0.0) return 0.0;
  const double exponent = y * log_f64(x);
  return exponent < -690.0 ? 0.0 : exp_f64(exponent > 690.0 ? 690.0 : exponent);
}

/// Sine and cosine in double, rounded to float: absolute error below 1e-10 for |x| < 2^31 radians (a billion positions
/// at the fastest frequency), less exact but never undefined beyond.
KERN_INLINE void sincos_f64(double x, float* sine, float* cosine) {
  constexpr double shift = 0x1.8p52;
  const double k = (x * 0x1.45f306dc9c883p-1 + shift) - shift; // nearest multiple of pi/2
  // pi/2 in two parts of 53 bits; the fused operations round only the small difference.
  const double r = __builtin_fma(-k, 0x1.1a62633145c07p-54, __builtin_fma(-k, 0x1.921fb54442d18p+0, x));
  const double r2 = r * r;
  double s = 1.0;
  double c = 1.0;
  for (int i = 6; i >= 1; --i) s = 1.0 - s * r2 / ((2 * i) * (2 * i + 1));
  for (int i = 7; i >= 1; --i) c = 1.0 - c * r2 / ((2 * i - 1) * (2 * i));
  s *= r;
  const auto quadrant = static_cast<std::int64_t>(k) & 3;
  const double swapped_s = (quadrant & 1) != 0 ? c : s;
  const double swapped_c = (quadrant & 1) != 0 ? s : c;
  *sine = static_cast<float>((quadrant & 2) != 0 ? -swapped_s : swapped_s);
  *cosine = static_cast<float>(((quadrant + 1) & 2) != 0 ? -swapped_c : swapped_c);
}

} // namespace kern
