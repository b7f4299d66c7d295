// Fast codecs of formats with blocks of 256 weights, but for the grids': a unit is a block as the file has it.
#pragma once

#include "kernels/cuda/word_codec.h"

namespace kern::cuda {

/// Scales and minimums in a byte each of words 0..3, codes from word 4, d and dmin in word 20.
template <> struct UnitCodec<Q2_K> : WordCodec<Q2_K> {
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int index) const { return pairs(4 + index / 32 * 8 + index % 8, index % 32 / 8 * 2); }
  KERN_DEVICE float scale(int group) const {
    return to_float(words_.half(80)) * static_cast<float>(words_.byte(group) & 15u);
  }
  KERN_DEVICE int minimum(int group) const { return static_cast<int>(words_.byte(group) >> 4); }
  KERN_DEVICE float min_scale(int) const { return to_float(words_.half(82)); }
};

/// Third bits in words 0..7, the others from word 8, scales in bytes 96..107, d.
template <> struct UnitCodec<Q3_K> : WordCodec<Q3_K> {
  static constexpr int offset = 4; // a third bit that is set means no offset
  KERN_DEVICE std::uint32_t codes(int index) const {
    const std::uint32_t high = words_.word[index % 8] >> (index / 8) & 0x01010101u;
    return pairs(8 + index / 32 * 8 + index % 8, index % 32 / 8 * 2) | high << 2;
  }
  KERN_DEVICE float scale(int group) const {
    const std::uint32_t low = words_.byte(96 + group % 8) >> (group / 8 * 4) & 15u;
    const std::uint32_t high = words_.byte(104 + group % 4) >> (group / 4 * 2) & 3u;
    return to_float(words_.half(108)) * static_cast<float>(static_cast<int>(low | high << 4) - 32);
  }
};

/// d, dmin and the twelve bytes of quant/k_scales.h in words 0..3.
template <class Traits> struct KScalesCodec : WordCodec<Traits> {
  static constexpr int offset = 0;
  KERN_DEVICE float scale(int group) const {
    const UnitWords<Traits>& words = this->words_;
    const std::uint32_t number =
        group < 4 ? words.byte(4 + group) & 63u : (words.byte(8 + group) & 15u) | words.byte(group) >> 6 << 4;
    return to_float(words.half(0)) * static_cast<float>(number);
  }
  KERN_DEVICE int minimum(int group) const {
    const UnitWords<Traits>& words = this->words_;
    return static_cast<int>(group < 4 ? words.byte(8 + group) & 63u
                                      : words.byte(8 + group) >> 4 | words.byte(4 + group) >> 6 << 4);
  }
  KERN_DEVICE float min_scale(int) const { return to_float(this->words_.half(2)); }
};

/// Codes from word 4, 8 words for two groups.
template <> struct UnitCodec<Q4_K> : KScalesCodec<Q4_K> {
  KERN_DEVICE std::uint32_t codes(int index) const { return nibbles(4 + index / 16 * 8 + index % 8, index % 16 / 8); }
};

/// Fifth bits from word 4, a bit a group; the others from word 12.
template <> struct UnitCodec<Q5_K> : KScalesCodec<Q5_K> {
  KERN_DEVICE std::uint32_t codes(int index) const {
    const std::uint32_t high = words_.word[4 + index % 8] >> (index / 8) & 0x01010101u;
    return nibbles(12 + index / 16 * 8 + index % 8, index % 16 / 8) | high << 4;
  }
};

/// Low four bits from word 0, 16 words a run of 128; high two from word 32; scales in bytes 192..207; d.
template <> struct UnitCodec<Q6_K> : WordCodec<Q6_K> {
  static constexpr int offset = 32;
  KERN_DEVICE std::uint32_t codes(int index) const {
    const int run = index / 32;
    const int quarter = index % 32 / 8;
    return nibbles(run * 16 + quarter % 2 * 8 + index % 8, quarter / 2) | pairs(32 + run * 8 + index % 8, 2 * quarter)
                                                                              << 4;
  }
  KERN_DEVICE float scale(int group) const {
    return to_float(words_.half(208)) * static_cast<float>(static_cast<std::int8_t>(words_.byte(192 + group)));
  }
};

/// d and the scales' high bits in word 0, their low bits in word 1, codes from word 2.
template <> struct UnitCodec<IQ4_XS> : WordCodec<IQ4_XS> {
  static constexpr int offset = 0;
  KERN_DEVICE std::uint32_t codes(int index) const {
    constexpr NibbleTable table = nibble_table<uneven_code>();
    return look_up_nibbles(table, words_.word[2 + index / 8 * 4 + index % 4], index % 8 / 4);
  }
  KERN_DEVICE float scale(int group) const {
    const std::uint32_t low = words_.word[1] >> (4 * group) & 15u;
    const std::uint32_t high = words_.word[0] >> (16 + 2 * group) & 3u;
    return to_float(words_.half(0)) * static_cast<float>(static_cast<int>(low | high << 4) - 32);
  }
};

/// Base-3 fractions: words 0..7 hold five weights a byte, 32 apart; words 8..11 five, 16 apart; word 12 four, 4 apart.
template <> struct UnitCodec<TQ1_0> : WordCodec<TQ1_0> {
  static constexpr int offset = 1;
  KERN_DEVICE std::uint32_t codes(int index) const {
    if (index < 40) return digits(words_.word[index % 8], index / 8);
    if (index < 60) return digits(words_.word[8 + (index - 40) % 4], (index - 40) / 4);
    return digits(words_.word[12], index - 60);
  }
  KERN_DEVICE float scale(int) const { return to_float(words_.half(52)); }

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
template <> struct UnitCodec<TQ2_0> : WordCodec<TQ2_0> {
  static constexpr int offset = 1;
  KERN_DEVICE std::uint32_t codes(int index) const { return pairs(index / 32 * 8 + index % 8, index % 32 / 8 * 2); }
  KERN_DEVICE float scale(int) const { return to_float(words_.half(64)); }
};

} // namespace kern::cuda
