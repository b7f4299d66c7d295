// Codecs of formats with blocks of 32, 64 and 128 weights: the codes of all blocks of a unit, then what else they
// have (units.h).
#pragma once

#include "kernels/cuda/word_codec.h"

namespace kern::cuda {

/// 256 signed bytes as they are, then eight scales.
template <class Words> struct UnitCodec<Q8_0, Words> {
  Words words;
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const { return words.at(step * 8 + half * 4, lane); }
  KERN_DEVICE float scale(int group) const { return to_float(half_of(words, 256 + 2 * group)); }
};

/// Eight blocks of 16 bytes, low nibbles the first 16 weights, then eight scales.
template <class Words> struct UnitCodec<Q4_0, Words> {
  Words words;
  static constexpr int offset = 8;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    return nibbles(words.at(step * 4, lane), half);
  }
  KERN_DEVICE float scale(int group) const { return to_float(half_of(words, 128 + 2 * group)); }
};

/// As Q4_0, then eight pairs of a scale and a minimum.
template <class Words> struct UnitCodec<Q4_1, Words> {
  Words words;
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    return nibbles(words.at(step * 4, lane), half);
  }
  KERN_DEVICE float scale(int group) const { return to_float(half_of(words, 128 + 4 * group)); }
  KERN_DEVICE int minimum(int) const { return -1; } // it is added
  KERN_DEVICE float min_scale(int rounding) const { return to_float(half_of(words, 130 + 4 * rounding)); }
};

/// As Q4_0, then eight words of fifth bits, then scales.
template <class Words> struct UnitCodec<Q5_0, Words> {
  Words words;
  static constexpr int offset = 16;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    return nibbles(words.at(step * 4, lane), half) | spread_bits(words.word(32 + step) >> (half * 16 + lane * 4), 4);
  }
  KERN_DEVICE float scale(int group) const { return to_float(half_of(words, 160 + 2 * group)); }
};

/// As Q5_0, with pairs of a scale and a minimum.
template <class Words> struct UnitCodec<Q5_1, Words> {
  Words words;
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    return nibbles(words.at(step * 4, lane), half) | spread_bits(words.word(32 + step) >> (half * 16 + lane * 4), 4);
  }
  KERN_DEVICE float scale(int group) const { return to_float(half_of(words, 160 + 4 * group)); }
  KERN_DEVICE int minimum(int) const { return -1; } // it is added
  KERN_DEVICE float min_scale(int rounding) const { return to_float(half_of(words, 162 + 4 * rounding)); }
};

/// As Q4_0, but nibbles are numbers of levels.
template <class Words> struct UnitCodec<IQ4_NL, Words> {
  Words words;
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    constexpr NibbleTable table = nibble_table<uneven_code>();
    return look_up_nibbles(table, words.at(step * 4, lane), half);
  }
  KERN_DEVICE float scale(int group) const { return to_float(half_of(words, 128 + 2 * group)); }
};

/// As IQ4_NL, with exponents of one byte for scales.
template <class Words> struct UnitCodec<MXFP4, Words> {
  Words words;
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    constexpr NibbleTable table = nibble_table<doubled_e2m1>();
    return look_up_nibbles(table, words.at(step * 4, lane), half);
  }
  KERN_DEVICE float scale(int group) const {
    const std::uint32_t exponent = byte_of(words, 128 + group);
    return bits_float(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23); // the two smallest: subnormal
  }
};

/// Two words a group of 16, low nibbles its first eight; then sixteen scales of a byte.
template <class Words> struct UnitCodec<NVFP4, Words> {
  Words words;
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    constexpr NibbleTable table = nibble_table<doubled_e2m1>();
    return look_up_nibbles(table, words.at(step * 4, half * 2 + lane % 2), lane / 2);
  }
  KERN_DEVICE float scale(int group) const {
    const std::uint32_t byte = byte_of(words, 128 + group);
    // Four exponent bits with bias 7 read as five with bias 15 are 2^8 times too small, subnormal or not.
    const float half = to_float(Half{static_cast<std::uint16_t>((byte & 127u) << 7)}) * 128.0f;
    return byte == 127u ? 0.0f : half;
  }
};

/// A bit a weight, 32 bytes; then two scales.
template <class Words> struct UnitCodec<Q1_0, Words> {
  Words words;
  static constexpr int offset = 1; // codes are 0 and 2
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    return spread_bits(words.word(step) >> (half * 16 + lane * 4), 1);
  }
  KERN_DEVICE float scale(int group) const { return to_float(half_of(words, 32 + 2 * (group / 4))); }
};

/// Four weights a byte, 64 bytes; then four scales.
template <class Words> struct UnitCodec<Q2_0, Words> {
  Words words;
  static constexpr int offset = 1;
  KERN_DEVICE std::uint32_t codes(int step, int half, int lane) const {
    const std::uint32_t byte = words.word(step * 2 + half) >> (8 * lane) & 0xFFu;
    const std::uint32_t halves = (byte | byte << 12) & 0x000F000Fu;
    return (halves | halves << 6) & 0x03030303u;
  }
  KERN_DEVICE float scale(int group) const { return to_float(half_of(words, 64 + 2 * (group / 2))); }
};

} // namespace kern::cuda
