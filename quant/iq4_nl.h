// IQ4_NL: 32 four-bit codes into a table of 16 unevenly spaced values, with a binary16 scale. 4.5 bits a weight.
#pragma once

#include "quant/code_tables.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct IQ4_NL {
  struct Block {
    Half d;                 // scale
    std::uint8_t codes[16]; // low nibbles are weights 0..15, high nibbles 16..31; weight = d * table[code]
  };
  static_assert(sizeof(Block) == 2 + 16);
  static constexpr Format id = Format::iq4_nl;
  static constexpr const char* name = "IQ4_NL";
  static constexpr bool is_float = false;
  static constexpr int width = 32;
  static constexpr int group = 32;
  static constexpr bool has_min = false;

  /// out [32]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<IQ4_NL>(block, out); }

  /// codes [32], scales [1]: weight i = scales[0] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < 16; ++i) {
      codes[i] = uneven_code(block.codes[i] & 15);
      codes[i + 16] = uneven_code(block.codes[i] >> 4);
    }
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales) { scales[0] = to_float(block.d); }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    pack_nibbles(parts.digits, 16, block.codes);
  }
};

} // namespace kern
