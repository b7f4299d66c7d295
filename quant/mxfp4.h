// MXFP4: 32 four-bit floats (E2M1) that share a power of two (E8M0). 4.25 bits a weight. OCP Microscaling Formats 1.0.
#pragma once

#include "quant/code_tables.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct MXFP4 {
  struct Block {
    std::uint8_t exponent;  // scale = 2^(exponent - 127)
    std::uint8_t codes[16]; // low nibbles are weights 0..15, high nibbles 16..31
  };
  static_assert(sizeof(Block) == 1 + 16);
  static constexpr Format id = Format::mxfp4;
  static constexpr const char* name = "MXFP4";
  static constexpr bool is_float = false;
  static constexpr int width = 32;
  static constexpr int group = 32;
  static constexpr bool has_min = false;

  /// out [32]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<MXFP4>(block, out); }

  /// codes [32] are doubled values, so scales [1] is half the scale: weight i = scales[0] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < 16; ++i) {
      codes[i] = doubled_e2m1(block.codes[i] & 15);
      codes[i + 16] = doubled_e2m1(block.codes[i] >> 4);
    }
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales) {
    // 2^(exponent - 128); the two smallest are subnormal.
    const std::uint32_t e = block.exponent;
    scales[0] = bits_float(e < 2 ? 0x00200000u << e : (e - 1) << 23);
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.exponent = parts.scales[0];
    pack_nibbles(parts.digits, 16, block.codes);
  }
};

} // namespace kern
