// IQ4_XS: 256 four-bit codes into the table of IQ4_NL in eight groups of 32, each with a 6-bit scale. 4.25 bits a
// weight.
#pragma once

#include "quant/code_tables.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct IQ4_XS {
  struct Block {
    Half d;                      // scale of the scales
    std::uint8_t high_scales[2]; // 16 bits: the high two of each group's scale
    std::uint8_t low_scales[4];  // the low four, two groups a byte
    std::uint8_t codes[128];     // 16 bytes a group: low nibbles its first 16 weights, high nibbles the others
  };
  static_assert(sizeof(Block) == 2 + 2 + 4 + 128);
  static constexpr Format id = Format::iq4_xs;
  static constexpr const char* name = "IQ4_XS";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 32;
  static constexpr bool has_min = false;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<IQ4_XS>(block, out); }

  /// codes [256], scales [8]: weight i = block_scale * scales[i / 32] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int g = 0; g < 8; ++g)
      for (int i = 0; i < 16; ++i) {
        codes[g * 32 + i] = uneven_code(block.codes[g * 16 + i] & 15);
        codes[g * 32 + 16 + i] = uneven_code(block.codes[g * 16 + i] >> 4);
      }
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d); }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    for (int g = 0; g < 8; ++g) {
      const int low = (block.low_scales[g / 2] >> (4 * (g % 2))) & 15;
      const int high = (block.high_scales[g / 4] >> (2 * (g % 4))) & 3;
      scales[g] = static_cast<std::int16_t>((low | (high << 4)) - 32);
    }
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    for (int i = 0; i < 2; ++i)
      block.high_scales[i] =
          static_cast<std::uint8_t>((parts.scales[4 * i] >> 4 & 3) | (parts.scales[4 * i + 1] >> 4 & 3) << 2 |
                                    (parts.scales[4 * i + 2] >> 4 & 3) << 4 | (parts.scales[4 * i + 3] >> 4 & 3) << 6);
    for (int i = 0; i < 4; ++i)
      block.low_scales[i] = static_cast<std::uint8_t>((parts.scales[2 * i] & 15) | (parts.scales[2 * i + 1] << 4));
    for (int g = 0; g < 8; ++g) pack_nibbles(parts.digits + g * 32, 16, block.codes + g * 16);
  }
};

} // namespace kern
