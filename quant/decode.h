// Blocks -> floats for the formats that are codes and scales.
#pragma once

#include "quant/half.h"

namespace kern {

/// out [width]: scale * code, rounded once
template <class Traits> KERN_INLINE void decode_scaled(const typename Traits::Block& block, float* out) {
  std::int8_t codes[Traits::width];
  float scales[Traits::width / Traits::group];
  Traits::unpack_codes(block, codes);
  Traits::unpack_scales(block, scales);
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
  Traits::unpack_scales(block, scales, mins, &min_scale);
  for (int i = 0; i < Traits::width; ++i) {
    const int g = i / Traits::group;
    out[i] = scales[g] * static_cast<float>(codes[i]) - min_scale * static_cast<float>(mins[g]);
  }
}

} // namespace kern
