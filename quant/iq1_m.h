// IQ1_M: 256 weights in sixteen groups of 16, each with a 3-bit scale; eight weights are one of 2048 points of
// {-1, 0, 1}, shifted an eighth up or down. 1.75 bits a weight.
#pragma once

#include "quant/format_id.h"
#include "quant/grid_codes.h"

namespace kern {

struct IQ1_M {
  struct Block {
    std::uint8_t points[32]; // low eight bits of the points
    std::uint8_t high[16];   // of two points, a nibble each: the high three bits, the shift's sign
    std::uint16_t scales[4]; // four times three bits n, then four bits of the scale of the scales d, lowest first
  };
  static_assert(sizeof(Block) == 32 + 16 + 8);
  static constexpr Format id = Format::iq1_m;
  static constexpr const char* name = "IQ1_M";
  static constexpr bool is_float = false;
  static constexpr int width = 256;
  static constexpr int group = 16;
  static constexpr bool has_min = false;
  static constexpr const auto& book = grids::iq1;
  static constexpr std::int8_t levels[3] = {-8, 0, 8}; // of the points' coordinates, before the shift by 1
  static constexpr float unit = 0.125f;                // weight = d * unit * (2 * n + 1) * level
  static constexpr int scale_count = 8;                // n is less
  static constexpr GridSigns sign_kind = GridSigns::shifted_eights;

  /// out [256]: d * (2 * n + 1) * (coordinate + shift)
  KERN_INLINE static void decode(const Block& block, float* out) { decode_scaled<IQ1_M>(block, out); }

  /// Calls f(i, the levels of weights 8 * i to 8 * i + 7 as the bytes of a word, whether they are shifted down) for
  /// each i. `levels_as`: the bytes that stand for a coordinate's levels.
  template <const auto& levels_as, class F> KERN_INLINE static void each_eight(const Block& block, F&& f) {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq1, levels_as);
    static_assert(table.size == 1 << 11); // whatever a point's bits are, they name an entry
    for (int g = 0; g < 32; g += 4) {
      const std::uint32_t high = block.high[g / 2] | static_cast<std::uint32_t>(block.high[g / 2 + 1]) << 8;
      KERN_UNROLL_FOUR for (int i = 0; i < 4; ++i)
          f(g + i, table.points[block.points[g + i] | (high >> (4 * i) & 7u) << 8], high >> (4 * i + 3) & 1u);
    }
  }

  /// codes [256] count eighths, so the block scale is an eighth of d; scales [16]: weight i = block_scale * scales[i /
  /// 16] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    each_eight<grid_levels_iq1_up>(
        block, [&](int i, std::uint64_t up, std::uint32_t down) { store_shifted(codes + i * 8, up, down); });
  }
  KERN_INLINE static Half scale_of_scales(const Block& block) {
    std::uint32_t bits = 0;
    for (int i = 0; i < 4; ++i) bits |= static_cast<std::uint32_t>(block.scales[i] >> 12) << (4 * i);
    return Half{static_cast<std::uint16_t>(bits)};
  }
  KERN_INLINE static float block_scale(const Block& block) { return to_float(scale_of_scales(block)) * unit; }
  KERN_INLINE static void unpack_scales(const Block& block, std::int16_t* scales) {
    for (int g = 0; g < 16; ++g)
      scales[g] = static_cast<std::int16_t>(2 * ((block.scales[g / 4] >> (3 * (g % 4))) & 7) + 1);
  }

  KERN_INLINE static void pack(const GridParts& parts, Block& block) {
    const auto nibble = [&](int i) { return (parts.points[i] >> 8 & 7) | (parts.signs[i] & 1) << 3; };
    for (int i = 0; i < 32; ++i) block.points[i] = static_cast<std::uint8_t>(parts.points[i]);
    for (int i = 0; i < 16; ++i) block.high[i] = static_cast<std::uint8_t>(nibble(2 * i) | nibble(2 * i + 1) << 4);
    for (int i = 0; i < 4; ++i) {
      int scales = (parts.d.bits >> (4 * i) & 15) << 12;
      for (int g = 0; g < 4; ++g) scales |= (parts.scales[i * 4 + g] & 7) << (3 * g);
      block.scales[i] = static_cast<std::uint16_t>(scales);
    }
  }
};

} // namespace kern
