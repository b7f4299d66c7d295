// Codecs of the grid formats: points of a code book are looked up in a table in device memory, which the
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

KERN_DEVICE int odd_scale(std::uint32_t n) { return static_cast<int>(2 * n + 1); }

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
template <class Words> struct UnitCodec<IQ1_S, Words> {
  Words words;
  static constexpr int offset = ShiftedPoints::offset, least = -9 * 15, most = 9 * 15;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    const int i = half * 2 + lane / 2; // point of the step's four
    const std::uint32_t high = bits(step);
    const std::uint32_t low = words.word(step) >> (8 * i) & 0xFFu;
    return ShiftedPoints::codes(low | (high >> (3 * i) & 7u) << 8, high >> 15, lane % 2);
  }
  KERN_DEVICE int whole_scale(int group) const { return odd_scale(bits(group) >> 12 & 7u); }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 48)) * IQ1_S::unit; }

private:
  KERN_DEVICE std::uint32_t bits(int group) const { return words.word(8 + group / 2) >> (group % 2 * 16) & 0xFFFFu; }
};

/// Points' low bits in words 0..7, a nibble more of each from byte 32, scales in words 12 and 13.
template <class Words> struct UnitCodec<IQ1_M, Words> {
  Words words;
  static constexpr int offset = ShiftedPoints::offset, least = -9 * 15, most = 9 * 15;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    const int i = half * 2 + lane / 2; // point of the step's four
    const std::uint32_t high = words.word(8 + step / 2) >> (step % 2 * 16 + i * 4);
    const std::uint32_t low = words.word(step) >> (8 * i) & 0xFFu;
    return ShiftedPoints::codes(low | (high & 7u) << 8, high >> 3 & 1u, lane % 2);
  }
  KERN_DEVICE int whole_scale(int group) const {
    return odd_scale(words.word(12 + group / 8) >> (group / 4 % 2 * 16 + group % 4 * 3) & 7u);
  }
  KERN_DEVICE float block_scale() const {
    std::uint32_t d = 0;
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) d |= (words.word(12 + i / 2) >> (i % 2 * 16 + 12) & 15u) << (4 * i);
    return to_float(Half{static_cast<std::uint16_t>(d)}) * IQ1_M::unit;
  }
};

/// Of each group a word of points and a word of signs and its scale; d.
template <class Words> struct UnitCodec<IQ2_XXS, Words> {
  Words words;
  static constexpr int offset = 0, least = -43 * 31, most = 43 * 31;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_xxs, grid_levels_iq2);
    const int i = half * 2 + lane / 2; // point of the step's four
    const std::uint32_t signs = even_signs(words.word(step * 2 + 1) >> (7 * i));
    const std::uint64_t point = table.points[words.word(step * 2) >> (8 * i) & 0xFFu];
    return with_signs(half_of_point(point, lane % 2), signs >> (lane % 2 * 4));
  }
  KERN_DEVICE int whole_scale(int group) const { return odd_scale(words.word(group * 2 + 1) >> 28); }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 64)) * IQ2_XXS::unit; }
};

/// 32 times nine bits of a point and seven of signs, 16 scales from byte 64, d.
template <class Words> struct UnitCodec<IQ2_XS, Words> {
  Words words;
  static constexpr int offset = 0, least = -43 * 31, most = 43 * 31;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_xs, grid_levels_iq2);
    const std::uint32_t code = words.word(step * 2 + half) >> (lane / 2 * 16);
    const std::uint32_t signs = even_signs(code >> 9);
    return with_signs(half_of_point(table.points[code & 511u], lane % 2), signs >> (lane % 2 * 4));
  }
  KERN_DEVICE int whole_scale(int group) const {
    return odd_scale(byte_of(words, 64 + group / 2) >> (group % 2 * 4) & 15u);
  }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 72)) * IQ2_XS::unit; }
};

/// Points' low bits in words 0..7, signs from byte 32, points' high bits from byte 64, scales from byte 72, d.
template <class Words> struct UnitCodec<IQ2_S, Words> {
  Words words;
  static constexpr int offset = 0, least = -43 * 31, most = 43 * 31;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    static constexpr auto table = grid_table<std::uint64_t>(grids::iq2_s, grid_levels_iq2);
    const int i = half * 2 + lane / 2; // point of the step's four
    const std::uint32_t high = words.word(16 + step / 4) >> (step % 4 * 8 + i * 2) & 3u;
    const std::uint64_t point = table.points[(words.word(step) >> (8 * i) & 0xFFu) | high << 8];
    return with_signs(half_of_point(point, lane % 2), words.word(8 + step) >> (i * 8 + lane % 2 * 4));
  }
  KERN_DEVICE int whole_scale(int group) const {
    return odd_scale(byte_of(words, 72 + group / 2) >> (group % 2 * 4) & 15u);
  }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 80)) * IQ2_S::unit; }
};

/// Points in words 0..15, of each group a word of signs and its scale from word 16, d.
template <class Words> struct UnitCodec<IQ3_XXS, Words> {
  Words words;
  static constexpr int offset = 0, least = -62 * 31, most = 62 * 31;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    static constexpr auto table = grid_table<std::uint32_t>(grids::iq3_xxs, IQ3_XXS::levels);
    const std::uint32_t signs = even_signs(words.word(16 + step) >> ((half * 2 + lane / 2) * 7));
    return with_signs(table.points[words.word(step * 2 + half) >> (8 * lane) & 0xFFu], signs >> (lane % 2 * 4));
  }
  KERN_DEVICE int whole_scale(int group) const { return odd_scale(words.word(16 + group) >> 28); }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 96)) * IQ3_XXS::unit; }
};

/// Points' low bits in words 0..15, their ninth from byte 64, signs from byte 72, scales from byte 104, d.
template <class Words> struct UnitCodec<IQ3_S, Words> {
  Words words;
  static constexpr int offset = 0, least = -15 * 31, most = 15 * 31;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    static constexpr auto table = grid_table<std::uint32_t>(grids::iq3_s, IQ3_S::levels);
    const int i = half * 4 + lane; // point of the step's eight
    const std::uint32_t high = words.word(16 + step / 4) >> (step % 4 * 8 + i) & 1u;
    const std::uint32_t low = words.word(step * 2 + half) >> (8 * lane) & 0xFFu;
    return with_signs(table.points[low | high << 8], words.word(18 + step) >> (i * 4));
  }
  KERN_DEVICE int whole_scale(int group) const {
    return odd_scale(byte_of(words, 104 + group / 2) >> (group % 2 * 4) & 15u);
  }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 108)) * IQ3_S::unit; }
};

} // namespace kern::cuda
