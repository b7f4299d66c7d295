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

  /// codes [256], scales [8]: weight i = block_scale * scales[i / 32] * codes[i]
  KERN_INLINE static void unpack_codes(const Block& block, std::int8_t* codes) {
    static constexpr auto table = grid_table<std::uint32_t>(grids::iq3_s, levels);
    static_assert(table.size == 1 << 9); // whatever a point's bits are, they name an entry
    for (int i = 0; i < 32; ++i) {
      const std::uint32_t high = static_cast<std::uint32_t>(block.high[i / 4]) >> (2 * (i % 4));
      const std::uint32_t first = block.points[i * 2] | (high & 1u) << 8;
      const std::uint32_t second = block.points[i * 2 + 1] | (high & 2u) << 7;
      store_signed(codes + i * 8, table.points[first] | std::uint64_t{table.points[second]} << 32, block.signs[i]);
    }
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
