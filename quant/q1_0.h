// Q1_0: 128 signs that share a binary16 scale. 1.125 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q1_0 {
  struct Block {
    Half d;                 // scale
    std::uint8_t codes[16]; // bit i of the whole: weight i = set ? d : -d
  };
  static_assert(sizeof(Block) == 2 + 16);
  static constexpr Format id = Format::q1_0;
  static constexpr const char* name = "Q1_0";
  static constexpr bool is_float = false;
  static constexpr int width = 128;
  static constexpr int group = 32;
  static constexpr bool has_min = false;

  /// out [128]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<Q1_0>(block, out); }

  /// codes [128], scales [4], all the same: weight i = scales[i / 32] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < 128; ++i) codes[i] = static_cast<std::int8_t>((block.codes[i / 8] >> (i % 8)) & 1 ? 1 : -1);
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales) {
    for (int g = 0; g < 4; ++g) scales[g] = to_float(block.d);
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    for (int byte = 0; byte < 16; ++byte) {
      int bits = 0;
      for (int i = 0; i < 8; ++i) bits |= (parts.digits[byte * 8 + i] & 1) << i;
      block.codes[byte] = static_cast<std::uint8_t>(bits);
    }
  }
};

} // namespace kern
