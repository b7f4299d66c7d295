// Q2_K: 256 two-bit codes in sixteen groups of 16, each with a 4-bit scale and minimum. 2.625 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q2_K {
  struct Block {
    std::uint8_t scales[16]; // low nibble: scale, high nibble: minimum
    std::uint8_t codes[64];  // two runs of 32 bytes, each for 128 weights: two bits for each 32 of them in turn
    Half d;                  // scale of the scales
    Half dmin;               // scale of the minimums
  };
  static_assert(sizeof(Block) == 16 + 64 + 2 + 2);
  static constexpr Format id = Format::q2_k;
  static constexpr const char* name = "Q2_K";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 16;
  static constexpr bool has_min = true;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_minimum<Q2_K>(block, out); }

  /// codes [256], scales [16], mins [16]: weight i = block_scale * scales[g] * codes[i] - min_scale * mins[g], g = i /
  /// 16
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int run = 0; run < 2; ++run)
      for (int part = 0; part < 4; ++part)
        for (int i = 0; i < 32; ++i)
          codes[run * 128 + part * 32 + i] = static_cast<std::int8_t>((block.codes[run * 32 + i] >> (2 * part)) & 3);
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d); }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales, std::int16_t* mins,
                                        float* min_scale) {
    *min_scale = to_float(block.dmin);
    for (int g = 0; g < 16; ++g) {
      scales[g] = block.scales[g] & 15;
      mins[g] = static_cast<std::int16_t>(block.scales[g] >> 4);
    }
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    block.dmin = parts.min;
    for (int g = 0; g < 16; ++g)
      block.scales[g] = static_cast<std::uint8_t>((parts.scales[g] & 15) | (parts.mins[g] << 4));
    for (int run = 0; run < 2; ++run) pack_pairs(parts.digits + run * 128, block.codes + run * 32);
  }
};

} // namespace kern
