// Q4_0: 32 four-bit codes, offset by 8, that share a binary16 scale. 4.5 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q4_0 {
  struct Block {
    Half d;                 // scale
    std::uint8_t codes[16]; // low nibbles are weights 0..15, high nibbles 16..31; weight = d * (code - 8)
  };
  static_assert(sizeof(Block) == 2 + 16);
  static constexpr Format id = Format::q4_0;
  static constexpr const char* name = "Q4_0";
  static constexpr bool is_float = false;
  static constexpr int width = 32;
  static constexpr int group = 32;
  static constexpr bool has_min = false;

  /// out [32]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<Q4_0>(block, out); }

  /// codes [32], scales [1]: weight i = scales[0] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < 16; ++i) {
      codes[i] = static_cast<std::int8_t>((block.codes[i] & 15) - 8);
      codes[i + 16] = static_cast<std::int8_t>((block.codes[i] >> 4) - 8);
    }
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales) { scales[0] = to_float(block.d); }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    pack_nibbles(parts.digits, 16, block.codes);
  }
};

} // namespace kern
