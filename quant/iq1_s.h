// IQ1_S: 256 weights in eight groups of 32, each with a 3-bit scale and a shift of an eighth up or down; eight weights
// are one of 2048 points of {-1, 0, 1}. 1.5625 bits a weight.
#pragma once

#include "quant/format_id.h"
#include "quant/grid_codes.h"

namespace kern {

struct IQ1_S {
  struct Block {
    Half d;                  // scale of the scales; weight = d * (2 * n + 1) * (coordinate + shift)
    std::uint8_t points[32]; // low eight bits of the points
    std::uint16_t high[8];   // of a group: four times the high three bits of its points, three of n, the shift's sign
  };
  static_assert(sizeof(Block) == 2 + 32 + 16);
  static constexpr Format id = Format::iq1_s;
  static constexpr const char* name = "IQ1_S";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 32;
  static constexpr bool has_min = false;
  static constexpr const auto& book = grids::iq1;
  static constexpr std::int8_t levels[3] = {-8, 0, 8}; // of the points' coordinates, before the shift by 1
  static constexpr float unit = 0.125f;                // weight = d * unit * (2 * n + 1) * level
  static constexpr int scale_count = 8;                // n is less
  static constexpr GridSigns sign_kind = GridSigns::shifted_groups;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<IQ1_S>(block, out); }

  /// Calls f(i, the levels of weights 8 * i to 8 * i + 7 as the bytes of a word, whether they are shifted down) for
  /// each i. `levels_as`: the bytes that stand for a coordinate's levels.
  template <const auto& levels_as, class F> KERN_INLINE static void each_eight(const Block& block, F&& f) {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq1, levels_as);
    static_assert(table.size == 1 << 11); // whatever a point's bits are, they name an entry
    for (int g = 0; g < 32; g += 4) {
      const std::uint32_t high = block.high[g / 4];
      KERN_UNROLL_FOUR for (int i = 0; i < 4; ++i)
          f(g + i, table.points[block.points[g + i] | (high >> (3 * i) & 7u) << 8], high >> 15);
    }
  }

  /// codes [256] count eighths, so the block scale is an eighth of d; scales [8]: weight i = block_scale * scales[i /
  /// 32] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    each_eight<grid_levels_iq1_up>(
        block, [&](int i, std::uint64_t up, std::uint32_t down) { store_shifted(codes + i * 8, up, down); });
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d) * unit; }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    for (int g = 0; g < 8; ++g) scales[g] = static_cast<std::int16_t>(2 * ((block.high[g] >> 12) & 7) + 1);
  }

  KERN_INLINE static void pack(const GridParts& parts, Block& block) {
    block.d = parts.d;
    for (int i = 0; i < 32; ++i) block.points[i] = static_cast<std::uint8_t>(parts.points[i]);
    for (int g = 0; g < 8; ++g) {
      int high = (parts.scales[g] & 7) << 12 | (parts.signs[g * 4] & 1) << 15;
      for (int i = 0; i < 4; ++i) high |= (parts.points[g * 4 + i] >> 8 & 7) << (3 * i);
      block.high[g] = static_cast<std::uint16_t>(high);
    }
  }
};

} // namespace kern
