// Codecs of formats with blocks of 256 weights, but for the grids': a unit is a block, most as the file has it.
#pragma once

#include "kernels/cuda/word_codec.h"

namespace kern::cuda {

/// Scales and minimums in a byte each of words 0..3, codes from word 4, d and dmin in word 20.
template <class Words> struct UnitCodec<Q2_K, Words> {
  Words words;
  static constexpr int offset = 0, least = 0, most = 3 * 15;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    return pairs(words.at(4 + step / 4 * 8 + half * 4, lane), step % 4 * 2);
  }
  KERN_DEVICE int whole_scale(int group) const { return static_cast<int>(byte_of(words, group) & 15u); }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 80)); }
  KERN_DEVICE int minimum(int group) const { return static_cast<int>(byte_of(words, group) >> 4); }
  KERN_DEVICE std::uint32_t minimums(int half, int lane) const {
    const std::uint32_t pair = words.at(0, half * 2 + lane / 2) >> (lane % 2 * 16);
    return (pair >> 4 & 15u) | (pair >> 12 & 15u) << 16;
  }
  KERN_DEVICE float min_scale(int) const { return to_float(half_of(words, 82)); }
};

/// Third bits in words 0..7, the others from word 8, scales in bytes 96..107, d.
template <class Words> struct UnitCodec<Q3_K, Words> {
  Words words;
  static constexpr int offset = 4; // a third bit that is set means no offset
  static constexpr int least = -4 * 31, most = 4 * 32;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    const std::uint32_t high = words.at(half * 4, lane) >> step & 0x01010101u;
    return pairs(words.at(8 + step / 4 * 8 + half * 4, lane), step % 4 * 2) | high << 2;
  }
  KERN_DEVICE int whole_scale(int group) const {
    const std::uint32_t low = byte_of(words, 96 + group % 8) >> (group / 8 * 4) & 15u;
    const std::uint32_t high = byte_of(words, 104 + group % 4) >> (group / 4 * 2) & 3u;
    return static_cast<int>(low | high << 4) - 32;
  }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 108)); }
};

/// d, dmin and the twelve bytes of quant/k_scales.h in words 0..3.
template <class Words> struct KScalesCodec {
  Words words;
  static constexpr int offset = 0, least = 0;
  KERN_DEVICE int whole_scale(int group) const {
    return static_cast<int>(group < 4 ? byte_of(words, 4 + group) & 63u
                                      : (byte_of(words, 8 + group) & 15u) | byte_of(words, group) >> 6 << 4);
  }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 0)); }
  KERN_DEVICE int minimum(int group) const {
    return static_cast<int>(group < 4 ? byte_of(words, 8 + group) & 63u
                                      : byte_of(words, 8 + group) >> 4 | byte_of(words, 4 + group) >> 6 << 4);
  }
  KERN_DEVICE std::uint32_t minimums(int half, int lane) const {
    const std::uint32_t low = words.word(2) >> (8 * lane);
    const std::uint32_t number = half == 0 ? low & 63u : (words.word(3) >> (8 * lane + 4) & 15u) | (low >> 2 & 48u);
    return number * 0x00010001u;
  }
  KERN_DEVICE float min_scale(int) const { return to_float(half_of(words, 2)); }
};

/// Codes from word 4, 8 words for two groups.
template <class Words> struct UnitCodec<Q4_K, Words> : KScalesCodec<Words> {
  static constexpr int most = 15 * 63;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    return nibbles(this->words.at(4 + step / 2 * 8 + half * 4, lane), step % 2);
  }
};

/// Fifth bits from word 4, a bit a group; the others from word 12.
template <class Words> struct UnitCodec<Q5_K, Words> : KScalesCodec<Words> {
  static constexpr int most = 31 * 63;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    const std::uint32_t high = this->words.at(4 + half * 4, lane) >> step & 0x01010101u;
    return nibbles(this->words.at(12 + step / 2 * 8 + half * 4, lane), step % 2) | high << 4;
  }
};

/// Low four bits from word 0, 16 words a run of 128; high two from word 32; scales in bytes 192..207; d.
template <class Words> struct UnitCodec<Q6_K, Words> {
  Words words;
  static constexpr int offset = 32, least = -32 * 127, most = 32 * 128;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    const int run = step / 4;
    const int quarter = step % 4;
    return nibbles(words.at(run * 16 + quarter % 2 * 8 + half * 4, lane), quarter / 2) |
           pairs(words.at(32 + run * 8 + half * 4, lane), 2 * quarter) << 4;
  }
  KERN_DEVICE int whole_scale(int group) const { return static_cast<std::int8_t>(byte_of(words, 192 + group)); }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 208)); }
};

/// Codes in words 0..31, then d and the scales' high bits in word 32, their low bits in word 33.
template <class Words> struct UnitCodec<IQ4_XS, Words> {
  Words words;
  static constexpr int offset = 0, least = -127 * 31, most = 127 * 32;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    constexpr NibbleTable table = nibble_table<uneven_code>();
    return look_up_nibbles(table, words.at(step * 4, lane), half);
  }
  KERN_DEVICE int whole_scale(int group) const {
    const std::uint32_t low = words.word(33) >> (4 * group) & 15u;
    const std::uint32_t high = words.word(32) >> (16 + 2 * group) & 3u;
    return static_cast<int>(low | high << 4) - 32;
  }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 128)); }
};

/// Base-3 fractions: words 0..7 hold five weights a byte, 32 apart; words 8..11 five, 16 apart; word 12 four, 4 apart.
template <class Words> struct UnitCodec<TQ1_0, Words> {
  Words words;
  static constexpr int offset = 1, least = -1, most = 2;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    if (step < 5) return digits(words.at(half * 4, lane), step);
    if (step < 7 || half == 0) return digits(words.at(8, lane), (step - 5) * 2 + half);
    return digits(words.word(12), lane);
  }
  KERN_DEVICE int whole_scale(int) const { return 1; }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 52)); }

private:
  /// Digit n of each byte: 3^n times the fraction, without what is whole; then what a factor 3 makes whole. Two bytes
  /// at a time have room for the products, 81 * 255 at most.
  KERN_DEVICE static std::uint32_t digits(std::uint32_t word, int n) {
    const std::uint32_t power = n == 0 ? 1 : n == 1 ? 3 : n == 2 ? 9 : n == 3 ? 27 : 81;
    const std::uint32_t even = ((word & 0x00FF00FFu) * power & 0x00FF00FFu) * 3;
    const std::uint32_t odd = ((word >> 8 & 0x00FF00FFu) * power & 0x00FF00FFu) * 3;
    return (even >> 8 & 0x00FF00FFu) | (odd & 0xFF00FF00u);
  }
};

/// Two bits a weight from word 0, d.
template <class Words> struct UnitCodec<TQ2_0, Words> {
  Words words;
  static constexpr int offset = 1, least = -1, most = 2;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    return pairs(words.at(step / 4 * 8 + half * 4, lane), step % 4 * 2);
  }
  KERN_DEVICE int whole_scale(int) const { return 1; }
  KERN_DEVICE float block_scale() const { return to_float(half_of(words, 64)); }
};

} // namespace kern::cuda
