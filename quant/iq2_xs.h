// IQ2_XS: 256 weights in sixteen groups of 16, each with a 4-bit scale; eight weights are one of 512 grid points and
// seven bits of signs. 2.3125 bits a weight.
#pragma once

#include "quant/format_id.h"
#include "quant/grid_codes.h"

namespace kern {

struct IQ2_XS {
  struct Block {
    Half d;                   // scale of the scales; weight = d * (2 * n + 1) / 8 * coordinate
    std::uint16_t points[32]; // nine bits of the point, seven of signs above them
    std::uint8_t scales[8];   // n, two groups a byte
  };
  static_assert(sizeof(Block) == 2 + 64 + 8);
  static constexpr Format id = Format::iq2_xs;
  static constexpr const char* name = "IQ2_XS";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 16;
  static constexpr bool has_min = false;
  static constexpr const auto& book = grids::iq2_xs;
  static constexpr const auto& levels = grid_levels_iq2; // of the points' coordinates
  static constexpr float unit = 0.125f;                  // weight = d * unit * (2 * n + 1) * level
  static constexpr int scale_count = 16;                 // n is less
  static constexpr GridSigns sign_kind = GridSigns::even;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<IQ2_XS>(block, out); }

  /// Calls f(i, the levels of weights 8 * i to 8 * i + 7 as the bytes of a word, seven bits of their signs) for each i.
  /// `levels_as`: the bytes that stand for a coordinate's levels.
  template <const auto& levels_as, class F> KERN_INLINE static void each_eight(const Block& block, F&& f) {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_xs, levels_as);
    static_assert(table.size == 1 << 9); // whatever a point's bits are, they name an entry
    KERN_UNROLL_FOUR for (int i = 0; i < 32; ++i) {
      const std::uint32_t code = block.points[i];
      f(i, table.points[code & 511u], code >> 9);
    }
  }

  /// codes [256], scales [16]: weight i = block_scale * scales[i / 16] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    each_eight<grid_levels_iq2>(block, [&](int i, std::uint64_t magnitudes, std::uint32_t signs) {
      store_signed(codes + i * 8, magnitudes, even_signs(signs));
    });
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d) * unit; }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    unpack_odd_scales<16>(block.scales, scales);
  }

  KERN_INLINE static void pack(const GridParts& parts, Block& block) {
    block.d = parts.d;
    for (int i = 0; i < 32; ++i)
      block.points[i] = static_cast<std::uint16_t>((parts.points[i] & 511) | (parts.signs[i] & 127) << 9);
    pack_scales(parts.scales, 16, block.scales);
  }
};

} // namespace kern
