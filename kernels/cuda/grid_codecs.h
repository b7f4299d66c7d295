// Fast codecs of the grid formats: points of a code book are looked up in a table in device memory, which the
// first-level cache holds (1 to 16 KB), eight or four weights at a time; signs are put in four at a time.
//
// A unit is a block with its scale behind the rest (units.h), so offsets below are two less than in the file.
#pragma once

#include "kernels/cuda/word_codec.h"
#include "quant/grid_codes.h"

namespace kern::cuda {

/// Four magnitudes, 1..127, negative where the bit of `signs` is set; bits from the fifth on are ignored.
KERN_DEVICE std::uint32_t with_signs(std::uint32_t magnitudes, std::uint32_t signs) {
  const std::uint32_t negative = spread_bits(signs, 0);
  return (magnitudes ^ negative * 255u) + negative; // no carry: an inverted magnitude is 254 at most
}

/// Half `half` of an eight-byte point.
KERN_DEVICE std::uint32_t half_of_point(std::uint64_t point, int half) {
  return static_cast<std::uint32_t>(point >> (32 * half));
}

/// d * unit * (2 * n + 1)
KERN_DEVICE float odd_scale(Half d, float unit, std::uint32_t n) {
  return to_float(d) * unit * static_cast<float>(2 * n + 1);
}

/// Codes of IQ1_S and IQ1_M plus 8: 16 times the level and 1, and 2 less where `down` is 1; shifted by `offset`.
struct ShiftedPoints {
  static constexpr int offset = 9;
  KERN_DEVICE static std::uint32_t codes(std::uint32_t point, std::uint32_t down, int half) {
    static constexpr std::uint8_t levels[3] = {2, 10, 18}; // -8, 0, 8, and 10
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq1, levels);
    return half_of_point(table.points[point], half) - 0x02020202u * down;
  }
};

/// Points' low bits in words 0..7, of each group 16 bits from byte 32, d.
template <> struct UnitCodec<IQ1_S> : WordCodec<IQ1_S> {
  static constexpr int offset = ShiftedPoints::offset;
  KERN_DEVICE std::uint32_t codes(int index) const {
    const int i = index / 2;
    const std::uint32_t high = bits(i / 4);
    return ShiftedPoints::codes(words_.byte(i) | (high >> (3 * (i % 4)) & 7u) << 8, high >> 15, index % 2);
  }
  KERN_DEVICE float scale(int group) const { return odd_scale(words_.half(48), IQ1_S::unit, bits(group) >> 12 & 7u); }

private:
  KERN_DEVICE std::uint32_t bits(int group) const { return words_.word[8 + group / 2] >> (group % 2 * 16) & 0xFFFFu; }
};

/// Points' low bits in words 0..7, a nibble more of each from byte 32, scales in words 12 and 13.
template <> struct UnitCodec<IQ1_M> : WordCodec<IQ1_M> {
  static constexpr int offset = ShiftedPoints::offset;
  KERN_DEVICE std::uint32_t codes(int index) const {
    const int i = index / 2;
    const std::uint32_t high = words_.word[8 + i / 8] >> (i % 8 * 4);
    return ShiftedPoints::codes(words_.byte(i) | (high & 7u) << 8, high >> 3 & 1u, index % 2);
  }
  KERN_DEVICE float scale(int group) const {
    std::uint32_t d = 0;
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) d |= (words_.word[12 + i / 2] >> (i % 2 * 16 + 12) & 15u) << (4 * i);
    const std::uint32_t n = words_.word[12 + group / 8] >> (group / 4 % 2 * 16 + group % 4 * 3) & 7u;
    return odd_scale(Half{static_cast<std::uint16_t>(d)}, IQ1_M::unit, n);
  }
};

/// Of each group a word of points and a word of signs and its scale; d.
template <> struct UnitCodec<IQ2_XXS> : WordCodec<IQ2_XXS> {
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int index) const {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_xxs, grid_levels_iq2);
    const int group = index / 8;
    const int i = index % 8 / 2;
    const std::uint32_t signs = even_signs(words_.word[group * 2 + 1] >> (7 * i));
    return with_signs(half_of_point(table.points[words_.byte(group * 8 + i)], index % 2), signs >> (index % 2 * 4));
  }
  KERN_DEVICE float scale(int group) const {
    return odd_scale(words_.half(64), IQ2_XXS::unit, words_.word[group * 2 + 1] >> 28);
  }
};

/// 32 times nine bits of a point and seven of signs, 16 scales from byte 64, d.
template <> struct UnitCodec<IQ2_XS> : WordCodec<IQ2_XS> {
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int index) const {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_xs, grid_levels_iq2);
    const std::uint32_t code = words_.word[index / 4] >> (index / 2 % 2 * 16);
    const std::uint32_t signs = even_signs(code >> 9);
    return with_signs(half_of_point(table.points[code & 511u], index % 2), signs >> (index % 2 * 4));
  }
  KERN_DEVICE float scale(int group) const {
    return odd_scale(words_.half(72), IQ2_XS::unit, words_.byte(64 + group / 2) >> (group % 2 * 4) & 15u);
  }
};

/// Points' low bits in words 0..7, signs from byte 32, points' high bits from byte 64, scales from byte 72, d.
template <> struct UnitCodec<IQ2_S> : WordCodec<IQ2_S> {
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int index) const {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_s, grid_levels_iq2);
    const int i = index / 2;
    const std::uint32_t high = words_.word[16 + i / 16] >> (i % 16 * 2) & 3u;
    const std::uint64_t point = table.points[words_.byte(i) | high << 8];
    return with_signs(half_of_point(point, index % 2), words_.word[8 + i / 4] >> (i % 4 * 8 + index % 2 * 4));
  }
  KERN_DEVICE float scale(int group) const {
    return odd_scale(words_.half(80), IQ2_S::unit, words_.byte(72 + group / 2) >> (group % 2 * 4) & 15u);
  }
};

/// Points in words 0..15, of each group a word of signs and its scale from word 16, d.
template <> struct UnitCodec<IQ3_XXS> : WordCodec<IQ3_XXS> {
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int index) const {
    static constexpr auto table = grid_table<std::uint32_t>(grids::iq3_xxs, IQ3_XXS::levels);
    const std::uint32_t signs = even_signs(words_.word[16 + index / 8] >> (index % 8 / 2 * 7));
    return with_signs(table.points[words_.byte(index)], signs >> (index % 2 * 4));
  }
  KERN_DEVICE float scale(int group) const {
    return odd_scale(words_.half(96), IQ3_XXS::unit, words_.word[16 + group] >> 28);
  }
};

/// Points' low bits in words 0..15, their ninth from byte 64, signs from byte 72, scales from byte 104, d.
template <> struct UnitCodec<IQ3_S> : WordCodec<IQ3_S> {
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int index) const {
    static constexpr auto table = grid_table<std::uint32_t>(grids::iq3_s, IQ3_S::levels);
    const std::uint32_t high = words_.word[16 + index / 32] >> (index % 32) & 1u;
    return with_signs(table.points[words_.byte(index) | high << 8], words_.word[18 + index / 8] >> (index % 8 * 4));
  }
  KERN_DEVICE float scale(int group) const {
    return odd_scale(words_.half(108), IQ3_S::unit, words_.byte(104 + group / 2) >> (group % 2 * 4) & 15u);
  }
};

} // namespace kern::cuda
