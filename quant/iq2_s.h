// IQ2_S: 256 weights in sixteen groups of 16, each with a 4-bit scale; eight weights are one of 1024 grid points and
// eight signs. 2.5625 bits a weight.
#pragma once

#include "quant/format_id.h"
#include "quant/grid_codes.h"

namespace kern {

struct IQ2_S {
  struct Block {
    Half d;                  // scale of the scales; weight = d * (2 * n + 1) / 8 * coordinate
    std::uint8_t points[32]; // low eight bits of the points
    std::uint8_t signs[32];
    std::uint8_t high[8];   // high two bits of the points, four points a byte
    std::uint8_t scales[8]; // n, two groups a byte
  };
  static_assert(sizeof(Block) == 2 + 32 + 32 + 8 + 8);
  static constexpr Format id = Format::iq2_s;
  static constexpr const char* name = "IQ2_S";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 16;
  static constexpr bool has_min = false;
  static constexpr const auto& book = grids::iq2_s;
  static constexpr const auto& levels = grid_levels_iq2; // of the points' coordinates
  static constexpr float unit = 0.125f;                  // weight = d * unit * (2 * n + 1) * level
  static constexpr int scale_count = 16;                 // n is less
  static constexpr GridSigns sign_kind = GridSigns::free;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<IQ2_S>(block, out); }

  /// Calls f(i, the levels of weights 8 * i to 8 * i + 7 as the bytes of a word, their signs) for each i. `levels_as`:
  /// the bytes that stand for a coordinate's levels.
  template <const auto& levels_as, class F> KERN_INLINE static void each_eight(const Block& block, F&& f) {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_s, levels_as);
    static_assert(table.size == 1 << 10); // whatever a point's bits are, they name an entry
    for (int g = 0; g < 32; g += 4) {
      const std::uint32_t high = block.high[g / 4];
      KERN_UNROLL_FOUR for (int i = 0; i < 4; ++i)
          f(g + i, table.points[block.points[g + i] | (high >> (2 * i) & 3u) << 8], block.signs[g + i]);
    }
  }

  /// codes [256], scales [16]: weight i = block_scale * scales[i / 16] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    each_eight<grid_levels_iq2>(block, [&](int i, std::uint64_t magnitudes, std::uint32_t signs) {
      store_signed(codes + i * 8, magnitudes, signs);
    });
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d) * unit; }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    unpack_odd_scales<16>(block.scales, scales);
  }

  KERN_INLINE static void pack(const GridParts& parts, Block& block) {
    block.d = parts.d;
    for (int i = 0; i < 32; ++i) {
      const int shift = 2 * (i % 4);
      const int high = (parts.points[i] >> 8 & 3) << shift;
      block.points[i] = static_cast<std::uint8_t>(parts.points[i]);
      block.high[i / 4] = static_cast<std::uint8_t>(shift ? block.high[i / 4] | high : high);
      block.signs[i] = parts.signs[i];
    }
    pack_scales(parts.scales, 16, block.scales);
  }
};

} // namespace kern
