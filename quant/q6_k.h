// Q6_K: 256 six-bit codes, offset by 32, in sixteen groups of 16, each with a signed byte scale. 6.5625 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q6_K {
  struct Block {
    std::uint8_t low[128]; // low four bits: two runs of 64 bytes, each for 128 weights
    std::uint8_t high[64]; // high two bits: two runs of 32 bytes, each for 128 weights
    std::int8_t scales[16];
    Half d; // scale of the scales
  };
  static_assert(sizeof(Block) == 128 + 64 + 16 + 2);
  static constexpr Format id = Format::q6_k;
  static constexpr const char* name = "Q6_K";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 16;
  static constexpr bool has_min = false;

  /// out [256]: d * scale * (code - 32), rounded after every operation
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<Q6_K>(block, out); }

  /// codes [256], scales [16]: weight i = block_scale * scales[i / 16] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int run = 0; run < 2; ++run)
      for (int i = 0; i < 32; ++i) {
        const std::uint8_t first = block.low[run * 64 + i];
        const std::uint8_t second = block.low[run * 64 + 32 + i];
        const std::uint8_t high = block.high[run * 32 + i];
        std::int8_t* out = codes + run * 128 + i;
        out[0] = static_cast<std::int8_t>(((first & 15) | ((high & 3) << 4)) - 32);
        out[32] = static_cast<std::int8_t>(((second & 15) | (((high >> 2) & 3) << 4)) - 32);
        out[64] = static_cast<std::int8_t>(((first >> 4) | (((high >> 4) & 3) << 4)) - 32);
        out[96] = static_cast<std::int8_t>(((second >> 4) | ((high >> 6) << 4)) - 32);
      }
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d); }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    for (int g = 0; g < 16; ++g) scales[g] = block.scales[g];
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    for (int g = 0; g < 16; ++g) block.scales[g] = static_cast<std::int8_t>(parts.scales[g] - 128);
    for (int run = 0; run < 2; ++run) {
      const std::uint8_t* digits = parts.digits + run * 128;
      for (int i = 0; i < 64; ++i)
        block.low[run * 64 + i] = static_cast<std::uint8_t>((digits[i] & 15) | (digits[64 + i] << 4));
      for (int i = 0; i < 32; ++i)
        block.high[run * 32 + i] =
            static_cast<std::uint8_t>((digits[i] >> 4 & 3) | (digits[32 + i] >> 4 & 3) << 2 |
                                      (digits[64 + i] >> 4 & 3) << 4 | (digits[96 + i] >> 4 & 3) << 6);
    }
  }
};

} // namespace kern
