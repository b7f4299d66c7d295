// Q3_K: 256 three-bit codes, offset by 4, in sixteen groups of 16, each with a 6-bit scale. 3.4375 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q3_K {
  struct Block {
    std::uint8_t high[32];   // bit g / 2 of byte i: third bit of weight 32 * (g / 2) + i
    std::uint8_t codes[64];  // two runs of 32 bytes, each for 128 weights: two bits for each 32 of them in turn
    std::uint8_t scales[12]; // sixteen 6-bit scales: low four bits in bytes 0..7, high two in bytes 8..11
    Half d;                  // scale of the scales
  };
  static_assert(sizeof(Block) == 32 + 64 + 12 + 2);
  static constexpr Format id = Format::q3_k;
  static constexpr const char* name = "Q3_K";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 16;
  static constexpr bool has_min = false;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<Q3_K>(block, out); }

  /// codes [256], scales [16]: weight i = block_scale * scales[i / 16] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int run = 0; run < 2; ++run)
      for (int part = 0; part < 4; ++part)
        for (int i = 0; i < 32; ++i) {
          const int low = (block.codes[run * 32 + i] >> (2 * part)) & 3;
          const int high = (block.high[i] >> (run * 4 + part)) & 1; // set: no offset
          codes[run * 128 + part * 32 + i] = static_cast<std::int8_t>(low - (high ? 0 : 4));
        }
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d); }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    for (int g = 0; g < 16; ++g) {
      const int low = (block.scales[g % 8] >> (4 * (g / 8))) & 15;
      const int high = (block.scales[8 + g % 4] >> (2 * (g / 4))) & 3;
      scales[g] = static_cast<std::int16_t>((low | (high << 4)) - 32);
    }
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    for (int run = 0; run < 2; ++run) pack_pairs(parts.digits + run * 128, block.codes + run * 32);
    for (int i = 0; i < 32; ++i) {
      int bits = 0;
      for (int part = 0; part < 8; ++part) bits |= (parts.digits[part * 32 + i] >> 2 & 1) << part;
      block.high[i] = static_cast<std::uint8_t>(bits);
    }
    for (int g = 0; g < 8; ++g)
      block.scales[g] = static_cast<std::uint8_t>((parts.scales[g] & 15) | (parts.scales[g + 8] << 4));
    for (int g = 0; g < 4; ++g)
      block.scales[8 + g] =
          static_cast<std::uint8_t>((parts.scales[g] >> 4 & 3) | (parts.scales[g + 4] >> 4 & 3) << 2 |
                                    (parts.scales[g + 8] >> 4 & 3) << 4 | (parts.scales[g + 12] >> 4 & 3) << 6);
  }
};

} // namespace kern
