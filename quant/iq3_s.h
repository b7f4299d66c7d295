// IQ3_S: 256 weights in eight groups of 32, each with a 4-bit scale; four weights are one of 512 grid points and four
// signs. 3.4375 bits a weight.
#pragma once

#include "quant/format_id.h"
#include "quant/grid_codes.h"

namespace kern {

struct IQ3_S {
  struct Block {
    Half d;                  // scale of the scales; weight = d * (2 * n + 1) * coordinate
    std::uint8_t points[64]; // low eight bits of the points
    std::uint8_t high[8];    // ninth bit of the points, eight points a byte
    std::uint8_t signs[32];
    std::uint8_t scales[4]; // n, two groups a byte
  };
  static_assert(sizeof(Block) == 2 + 64 + 8 + 32 + 4);
  static constexpr Format id = Format::iq3_s;
  static constexpr const char* name = "IQ3_S";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 32;
  static constexpr bool has_min = false;
  static constexpr const auto& book = grids::iq3_s;
  static constexpr std::uint8_t levels[8] = {1, 3, 5, 7, 9, 11, 13, 15}; // of the points' coordinates
  static constexpr float unit = 1.0f;                                    // weight = d * unit * (2 * n + 1) * level
  static constexpr int scale_count = 16;                                 // n is less
  static constexpr GridSigns sign_kind = GridSigns::free;

  /// out [256]
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<IQ3_S>(block, out); }

  /// Calls f(i, the levels of weights 8 * i to 8 * i + 7 as the bytes of a word, their signs) for each i. `levels_as`:
  /// the bytes that stand for a coordinate's levels.
  template <const auto& levels_as, class F> KERN_INLINE static void each_eight(const Block& block, F&& f) {
    static constexpr auto table = grid_table<std::uint32_t>(grids::iq3_s, levels_as);
    static_assert(table.size == 1 << 9); // whatever a point's bits are, they name an entry
    for (int g = 0; g < 32; g += 4) {
      const std::uint32_t high = block.high[g / 4];
      KERN_UNROLL_FOUR for (int i = 0; i < 4; ++i) {
        const std::uint32_t first = block.points[(g + i) * 2] | (high >> (2 * i) & 1u) << 8;
        const std::uint32_t second = block.points[(g + i) * 2 + 1] | (high >> (2 * i + 1) & 1u) << 8;
        f(g + i, table.points[first] | std::uint64_t{table.points[second]} << 32, block.signs[g + i]);
      }
    }
  }

  /// codes [256], scales [8]: weight i = block_scale * scales[i / 32] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    each_eight<levels>(block, [&](int i, std::uint64_t magnitudes, std::uint32_t signs) {
      store_signed(codes + i * 8, magnitudes, signs);
    });
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(block.d) * unit; }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    unpack_odd_scales<8>(block.scales, scales);
  }

  KERN_INLINE static void pack(const GridParts& parts, Block& block) {
    block.d = parts.d;
    for (int i = 0; i < 64; ++i) {
      const int high = (parts.points[i] >> 8 & 1) << (i % 8);
      block.points[i] = static_cast<std::uint8_t>(parts.points[i]);
      block.high[i / 8] = static_cast<std::uint8_t>(i % 8 ? block.high[i / 8] | high : high);
    }
    for (int i = 0; i < 32; ++i) block.signs[i] = parts.signs[i];
    pack_scales(parts.scales, 8, block.scales);
  }
};

} // namespace kern
