// Four-bit codes that stand for something else than their own number.
#pragma once

#include "quant/decode.h"

namespace kern {

/// The sixteen levels of IQ4_NL and IQ4_XS (ggml-org/llama.cpp pull request 5590), denser around zero.
KERN_INLINE constexpr std::int8_t uneven_code(int code) {
  constexpr std::int8_t levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  return levels[code];
}

/// Twice the value of an E2M1 float: a sign, two exponent bits, one fraction bit; 0, 0.5, 1, 1.5, 2, 3, 4, 6.
KERN_INLINE constexpr std::int8_t doubled_e2m1(int code) {
  constexpr std::int8_t doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  return doubled[code];
}

/// Half the value of an unsigned E4M3 float with bias 7; its NaN, 0x7F, counts as 0, as ggml has it. The eighth bit is
/// not read.
KERN_INLINE float half_of_e4m3(std::uint8_t byte) {
  const std::uint32_t exponent = (byte >> 3) & 15u;
  const std::uint32_t fraction = byte & 7u;
  if (byte == 0x7F) return 0.0f;
  if (exponent == 0) return static_cast<float>(fraction) * 0x1p-10f;
  return bits_float((exponent + 127 - 8) << 23 | fraction << 20);
}

} // namespace kern
