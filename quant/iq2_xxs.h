// IQ2_XXS: 256 weights in eight groups of 32, each with a 4-bit scale; eight weights are one of 256 grid points and
// seven bits of signs. 2.0625 bits a weight.
#pragma once

#include "quant/format_id.h"
#include "quant/grid_codes.h"

namespace kern {

struct IQ2_XXS {
  struct Group {
    std::uint8_t points[4];
    std::uint8_t signs[4]; // 32 bits, lowest first: four times seven of signs, then the scale n
  };
  struct Block {
    Half d; // scale of the scales; weight = d * (2 * n + 1) / 8 * coordinate
    Group groups[8];
  };
  static_assert(sizeof(Block) == 2 + 8 * (4 + 4));
  static constexpr Format id = Format::iq2_xxs;
  static constexpr const char* name = "IQ2_XXS";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 32;
  static constexpr bool has_min = false;
  static constexpr const auto& book = grids::iq2_xxs;
  static constexpr const auto& levels = grid_levels_iq2; // of the points' coordinates
  static constexpr float unit = 0.125f;                  // weight = d * unit * (2 * n + 1) * level
  static constexpr int scale_count = 16;                 // n is less
  static constexpr GridSigns sign_kind = GridSigns::even;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<IQ2_XXS>(block, out); }

  /// Calls f(i, the levels of weights 8 * i to 8 * i + 7 as the bytes of a word, seven bits of their signs) for each i.
  /// `levels_as`: the bytes that stand for a coordinate's levels.
  template <const auto& levels_as, class F> KERN_INLINE static void each_eight(const Block& block, F&& f) {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_xxs, levels_as);
    static_assert(table.size == 1 << 8); // whatever a point's bits are, they name an entry
    for (int g = 0; g < 8; ++g) {
      const std::uint32_t signs = little_endian_32(block.groups[g].signs);
      KERN_UNROLL_FOUR for (int i = 0; i < 4; ++i)
          f(g * 4 + i, table.points[block.groups[g].points[i]], signs >> (7 * i) & 127u);
    }
  }

  /// codes [256], scales [8]: weight i = block_scale * scales[i / 32] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    each_eight<grid_levels_iq2>(block, [&](int i, std::uint64_t magnitudes, std::uint32_t signs) {
      store_signed(codes + i * 8, magnitudes, even_signs(signs));
    });
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d) * unit; }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    for (int g = 0; g < 8; ++g) scales[g] = static_cast<std::int16_t>(2 * (block.groups[g].signs[3] >> 4) + 1);
  }

  KERN_INLINE static void pack(const GridParts& parts, Block& block) {
    block.d = parts.d;
    for (int g = 0; g < 8; ++g) {
      for (int i = 0; i < 4; ++i) block.groups[g].points[i] = static_cast<std::uint8_t>(parts.points[g * 4 + i]);
      store_little_endian_32(pack_even_signs(parts.signs + g * 4, parts.scales[g]), block.groups[g].signs);
    }
  }
};

} // namespace kern
