// Q8_0: 32 signed bytes that share a binary16 scale. 8.5 bits a weight.
#pragma once

#include "quant/decode.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct Q8_0 {
  struct Block {
    Half d;                // scale
    std::int8_t codes[32]; // weight i = d * codes[i]
  };
  static_assert(sizeof(Block) == 2 + 32);
  static constexpr Format id = Format::q8_0;
  static constexpr const char* name = "Q8_0";
  static constexpr bool is_float = false;
  static constexpr int width = 32;
  static constexpr int group = 32;
  static constexpr bool has_min = false;

  /// out [32]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<Q8_0>(block, out); }

  /// codes [32], scales [1]: weight i = scales[0] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int i = 0; i < width; ++i) codes[i] = block.codes[i];
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales) { scales[0] = to_float(block.d); }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    block.d = parts.d;
    for (int i = 0; i < width; ++i) block.codes[i] = static_cast<std::int8_t>(parts.digits[i] - 128);
  }
};

} // namespace kern
