// NVFP4: 64 four-bit floats (E2M1) in four groups of 16, each with an unsigned E4M3 scale. 4.5 bits a weight.
#pragma once

#include "quant/code_tables.h"
#include "quant/format_id.h"
#include "quant/pack.h"

namespace kern {

struct NVFP4 {
  struct Block {
    std::uint8_t scales[4]; // of each group: 4 exponent bits with bias 7, 3 fraction bits
    std::uint8_t codes[32]; // 8 bytes a group: low nibbles its first 8 weights, high nibbles the others
  };
  static_assert(sizeof(Block) == 4 + 32);
  static constexpr Format id = Format::nvfp4;
  static constexpr const char* name = "NVFP4";
  static constexpr bool is_float = false;
  static constexpr int width = 64;
  static constexpr int group = 16;
  static constexpr bool has_min = false;

  /// out [64]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<NVFP4>(block, out); }

  /// codes [64] are doubled values, so scales [4] are half the scales: weight i = scales[i / 16] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    for (int g = 0; g < 4; ++g)
      for (int i = 0; i < 8; ++i) {
        codes[g * 16 + i] = doubled_e2m1(block.codes[g * 8 + i] & 15);
        codes[g * 16 + 8 + i] = doubled_e2m1(block.codes[g * 8 + i] >> 4);
      }
  }
  KERN_INLINE static void unpack_scales(const Block& block, float* scales) {
    for (int g = 0; g < 4; ++g) scales[g] = half_of_e4m3(block.scales[g]);
  }

  KERN_INLINE static void pack(const BlockParts& parts, Block& block) {
    for (int g = 0; g < 4; ++g) {
      block.scales[g] = parts.scales[g];
      pack_nibbles(parts.digits + g * 16, 8, block.codes + g * 8);
    }
  }
};

} // namespace kern
