// Q5_1: 32 five-bit codes with a binary16 scale and minimum. 6 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q5_1 {
  struct Block {
    Half d;                 // scale
    Half m;                 // minimum, added
    std::uint8_t high[4];   // bit i is the fifth bit of weight i
    std::uint8_t codes[16]; // low nibbles are weights 0..15, high nibbles 16..31; weight = d * code + m
  };
  static_assert(sizeof(Block) == 2 + 2 + 4 + 16);
  static constexpr Format id = Format::q5_1;
  static constexpr const char* name = "Q5_1";
  static constexpr bool is_float = false;
  static constexpr int width = 32;
  static constexpr int group = 32;
  static constexpr bool has_min = true;

  /// out [32]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_minimum<Q5_1>(block, out); }

  /// codes [32], scales [1], mins [1]: weight i = scales[0] * codes[i] - min_scale * mins[0]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < 16; ++i) {
      const int low_bit = (block.high[i / 8] >> (i % 8)) & 1;
      const int high_bit = (block.high[2 + i / 8] >> (i % 8)) & 1;
      codes[i] = static_cast<std::int8_t>((block.codes[i] & 15) | (low_bit << 4));
      codes[i + 16] = static_cast<std::int8_t>((block.codes[i] >> 4) | (high_bit << 4));
    }
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales, std::int16_t* mins, float* min_scale) {
    scales[0] = to_float(block.d);
    mins[0] = -1;
    *min_scale = to_float(block.m);
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    block.m = parts.min;
    pack_fifth_bits(parts.digits, block.high);
    pack_nibbles(parts.digits, 16, block.codes);
  }
};

} // namespace kern
