// Units of the formats that matter, unpacked by a few instructions a word.
#pragma once

#include "kernels/cuda/unit_codec.h"

namespace kern::cuda {

/// 256 signed bytes as they are, then eight scales.
template <> struct UnitCodec<Q8_0> {
  static constexpr int offset = 0;
  KERN_DEVICE void load(const std::byte* unit, int row) { words_.load(unit, row); }
  KERN_DEVICE std::uint32_t codes(int index) const { return words_.word[index]; }
  KERN_DEVICE float scale(int group) const { return to_float(words_.half(256 + 2 * group)); }

private:
  UnitWords<Q8_0> words_;
};

/// Eight blocks of 16 bytes, low nibbles the first 16 weights, then eight scales.
template <> struct UnitCodec<Q4_0> {
  static constexpr int offset = 8;
  KERN_DEVICE void load(const std::byte* unit, int row) { words_.load(unit, row); }
  KERN_DEVICE std::uint32_t codes(int index) const {
    return words_.word[index / 8 * 4 + index % 4] >> (index % 8 / 4 * 4) & 0x0F0F0F0Fu;
  }
  KERN_DEVICE float scale(int group) const { return to_float(words_.half(128 + 2 * group)); }

private:
  UnitWords<Q4_0> words_;
};

} // namespace kern::cuda
