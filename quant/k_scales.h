// The twelve bytes in which Q4_K and Q5_K keep eight 6-bit scales and eight 6-bit minimums.
#pragma once

#include <cstring>

#include "quant/decode.h"

namespace kern {

struct KScales {
  std::uint8_t packed[12];
};

/// scale [8], minimum [8]: values 0..63. Entries 0..3 lie in the low six bits of bytes 0..7; entries 4..7 have their
/// low four bits in bytes 8..11 and their high two in the top bits of bytes 0..7.
KERN_INLINE void unpack_k_scales(const KScales& scales, std::uint8_t* scale, std::uint8_t* minimum) {
  std::uint32_t word[3]; // four bytes at a time
  std::memcpy(word, scales.packed, sizeof word);
  const std::uint32_t scale_words[2] = {word[0] & 0x3F3F3F3Fu, (word[2] & 0x0F0F0F0Fu) | (word[0] >> 2 & 0x30303030u)};
  const std::uint32_t minimum_words[2] = {word[1] & 0x3F3F3F3Fu,
                                          (word[2] >> 4 & 0x0F0F0F0Fu) | (word[1] >> 2 & 0x30303030u)};
  std::memcpy(scale, scale_words, sizeof scale_words);
  std::memcpy(minimum, minimum_words, sizeof minimum_words);
}

/// The inverse of unpack_k_scales().
KERN_INLINE void pack_k_scales(const std::uint8_t* scale, const std::uint8_t* minimum, KScales& scales) {
  std::uint8_t* q = scales.packed;
  for (int j = 0; j < 4; ++j) {
    q[j] = static_cast<std::uint8_t>((scale[j] & 63) | (scale[j + 4] >> 4) << 6);
    q[j + 4] = static_cast<std::uint8_t>((minimum[j] & 63) | (minimum[j + 4] >> 4) << 6);
    q[j + 8] = static_cast<std::uint8_t>((scale[j + 4] & 15) | (minimum[j + 4] & 15) << 4);
  }
}

/// scales [8], mins [8]: what unpack_scales() of the two formats gives
template <class Block>
KERN_INLINE void unpack_k_header(const Block& block, std::int16_t* scales, std::int16_t* mins, float* min_scale) {
  std::uint8_t scale[8];
  std::uint8_t minimum[8];
  unpack_k_scales(block.scales, scale, minimum);
  *min_scale = to_float(block.dmin);
  for (int g = 0; g < 8; ++g) {
    scales[g] = scale[g];
    mins[g] = minimum[g];
  }
}

} // namespace kern
