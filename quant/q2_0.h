// Q2_0: 64 two-bit codes, offset by 1, that share a binary16 scale. 2.25 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q2_0 {
  struct Block {
    Half d;                 // scale
    std::uint8_t codes[16]; // four weights a byte, lowest bits first; weight = d * (code - 1)
  };
  static_assert(sizeof(Block) == 2 + 16);
  static constexpr Format id = Format::q2_0;
  static constexpr const char* name = "Q2_0";
  static constexpr bool is_float = false;
  static constexpr int width = 64;
  static constexpr int group = 32;
  static constexpr bool has_min = false;

  /// out [64]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<Q2_0>(block, out); }

  /// codes [64], scales [2], both the same: weight i = scales[i / 32] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < 64; ++i) codes[i] = static_cast<std::int8_t>(((block.codes[i / 4] >> (2 * (i % 4))) & 3) - 1);
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales) {
    for (int g = 0; g < 2; ++g) scales[g] = to_float(block.d);
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    for (int byte = 0; byte < 16; ++byte) {
      int bits = 0;
      for (int i = 0; i < 4; ++i) bits |= (parts.digits[byte * 4 + i] & 3) << (2 * i);
      block.codes[byte] = static_cast<std::uint8_t>(bits);
    }
  }
};

} // namespace kern
