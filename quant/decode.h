// Blocks -> floats for the formats that are codes and scales.
#pragma once

#include "quant/half.h"

namespace kern {

/// Scales of groups as floats. Formats with blocks of 256 keep them as whole numbers of at most eight bits and a sign,
/// times one float for the block.
template <class Traits> inline constexpr bool has_whole_scales = Traits::width == 256;

/// scales [width / group]: weight = scale * code
template <class Traits> KERN_INLINE void float_scales(const typename Traits::Block& block, float* scales) {
  if constexpr (has_whole_scales<Traits>) {
    constexpr int groups = Traits::width / Traits::group;
    std::int16_t whole[groups];
    Traits::unpack_scales(block, whole);
    const float d = Traits::block_scale(block);
    for (int g = 0; g < groups; ++g) scales[g] = d * static_cast<float>(whole[g]);
  } else {
    Traits::unpack_scales(block, scales);
  }
}

/// scales, mins [width / group]: weight = scale * code - min_scale * minimum
template <class Traits>
KERN_INLINE void float_scales(const typename Traits::Block& block, float* scales, std::int16_t* mins,
                              float* min_scale) {
  if constexpr (has_whole_scales<Traits>) {
    constexpr int groups = Traits::width / Traits::group;
    std::int16_t whole[groups];
    Traits::unpack_scales(block, whole, mins, min_scale);
    const float d = Traits::block_scale(block);
    for (int g = 0; g < groups; ++g) scales[g] = d * static_cast<float>(whole[g]);
  } else {
    Traits::unpack_scales(block, scales, mins, min_scale);
  }
}

/// out [width]: scale * code, rounded once
template <class Traits> KERN_INLINE void decode_scaled(const typename Traits::Block& block, float* out) {
  std::int8_t codes[Traits::width];
  float scales[Traits::width / Traits::group];
  Traits::unpack_codes(block, codes);
  float_scales<Traits>(block, scales);
  for (int i = 0; i < Traits::width; ++i) out[i] = scales[i / Traits::group] * static_cast<float>(codes[i]);
}

/// out [width]: scale * code - min_scale * minimum, rounded after every operation
template <class Traits> KERN_INLINE void decode_minimum(const typename Traits::Block& block, float* out) {
  constexpr int groups = Traits::width / Traits::group;
  std::int8_t codes[Traits::width];
  float scales[groups];
  std::int16_t mins[groups];
  float min_scale;
  Traits::unpack_codes(block, codes);
  float_scales<Traits>(block, scales, mins, &min_scale);
  for (int i = 0; i < Traits::width; ++i) {
    const int g = i / Traits::group;
    out[i] = scales[g] * static_cast<float>(codes[i]) - min_scale * static_cast<float>(mins[g]);
  }
}

} // namespace kern
