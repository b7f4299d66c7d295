// TQ2_0: 256 ternary weights in two bits each that share a binary16 scale. 2.0625 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct TQ2_0 {
  struct Block {
    std::uint8_t codes[64]; // two runs of 32 bytes, each for 128 weights: two bits for each 32 of them in turn
    Half d;                 // scale; weight = d * (code - 1)
  };
  static_assert(sizeof(Block) == 64 + 2);
  static constexpr Format id = Format::tq2_0;
  static constexpr const char* name = "TQ2_0";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 256;
  static constexpr bool has_min = false;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<TQ2_0>(block, out); }

  /// codes [256], scales [1]: weight i = block_scale * scales[0] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int run = 0; run < 2; ++run)
      for (int part = 0; part < 4; ++part)
        for (int i = 0; i < 32; ++i)
          codes[run * 128 + part * 32 + i] =
              static_cast<std::int8_t>(((block.codes[run * 32 + i] >> (2 * part)) & 3) - 1);
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d); }
  KERN_INLINE static void unpack_scales(const Block&, std::int16_t* scales) { scales[0] = 1; }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    for (int run = 0; run < 2; ++run) pack_pairs(parts.digits + run * 128, block.codes + run * 32);
  }
};

} // namespace kern
