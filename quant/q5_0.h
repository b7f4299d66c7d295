// Q5_0: 32 five-bit codes, offset by 16, that share a binary16 scale. 5.5 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q5_0 {
  struct Block {
    Half d;                 // scale
    std::uint8_t high[4];   // bit i is the fifth bit of weight i
    std::uint8_t codes[16]; // low nibbles are weights 0..15, high nibbles 16..31; weight = d * (code - 16)
  };
  static_assert(sizeof(Block) == 2 + 4 + 16);
  static constexpr Format id = Format::q5_0;
  static constexpr const char* name = "Q5_0";
  static constexpr bool is_float = false;
  static constexpr int width = 32;
  static constexpr int group = 32;
  static constexpr bool has_min = false;

  /// out [32]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<Q5_0>(block, out); }

  /// codes [32], scales [1]: weight i = scales[0] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < 16; ++i) {
      const int low_bit = (block.high[i / 8] >> (i % 8)) & 1;
      const int high_bit = (block.high[2 + i / 8] >> (i % 8)) & 1;
      codes[i] = static_cast<std::int8_t>(((block.codes[i] & 15) | (low_bit << 4)) - 16);
      codes[i + 16] = static_cast<std::int8_t>(((block.codes[i] >> 4) | (high_bit << 4)) - 16);
    }
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales) { scales[0] = to_float(block.d); }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    pack_fifth_bits(parts.digits, block.high);
    pack_nibbles(parts.digits, 16, block.codes);
  }
};

} // namespace kern
