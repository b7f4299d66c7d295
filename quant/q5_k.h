// Q5_K: 256 five-bit codes in eight groups of 32, each with a 6-bit scale and minimum. 5.5 bits a weight.
#pragma once

#include "quant/format_id.h"
#include "quant/k_scales.h"
#include "quant/pack.h"

namespace kern {

struct Q5_K {
  struct Block {
    Half d;    // scale of the scales
    Half dmin; // scale of the minimums
    KScales scales;
    std::uint8_t high[32];   // bit g of byte i is the fifth bit of weight i of group g
    std::uint8_t codes[128]; // low four bits, as in Q4_K
  };
  static_assert(sizeof(Block) == 2 + 2 + 12 + 32 + 128);
  static constexpr Format id = Format::q5_k;
  static constexpr const char* name = "Q5_K";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 32;
  static constexpr bool has_min = true;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_minimum<Q5_K>(block, out); }

  /// codes [256], scales [8], mins [8]: weight i = block_scale * scales[g] * codes[i] - min_scale * mins[g], g = i / 32
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int pair = 0; pair < 4; ++pair)
      for (int i = 0; i < 32; ++i) {
        const std::uint8_t byte = block.codes[pair * 32 + i];
        const int low_high = (block.high[i] >> (2 * pair)) & 1;
        const int high_high = (block.high[i] >> (2 * pair + 1)) & 1;
        codes[pair * 64 + i] = static_cast<std::int8_t>((byte & 15) | (low_high << 4));
        codes[pair * 64 + 32 + i] = static_cast<std::int8_t>((byte >> 4) | (high_high << 4));
      }
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d); }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales, std::int16_t* mins,
                                        float* min_scale) {
    unpack_k_header(block, scales, mins, min_scale);
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    block.dmin = parts.min;
    pack_k_scales(parts.scales, parts.mins, block.scales);
    for (int pair = 0; pair < 4; ++pair) pack_nibbles(parts.digits + pair * 64, 32, block.codes + pair * 32);
    for (int i = 0; i < 32; ++i) {
      int bits = 0;
      for (int g = 0; g < 8; ++g) bits |= (parts.digits[g * 32 + i] >> 4 & 1) << g;
      block.high[i] = static_cast<std::uint8_t>(bits);
    }
  }
};

} // namespace kern
