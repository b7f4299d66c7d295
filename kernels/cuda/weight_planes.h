// Weights with blocks of 256 as whole numbers, code times scale of the group, in bytes that tensor cores multiply: one
// signed byte where all of a format's fit, else 256 times a signed byte plus an unsigned one. Sums over a block are
// exact then, with nothing to do between its groups.
#pragma once

#include "kernels/cuda/codecs.h"

namespace kern::cuda {

/// Four codes below 128 that are `offset` too large, or signed bytes with an offset of 0, as signed bytes.
template <int offset> KERN_DEVICE std::uint32_t signed_bytes(std::uint32_t codes) {
  // Adding 128 - offset to each carries nowhere, and leaves the top bits inverted.
  return offset == 0 ? codes : (codes + (128u - static_cast<unsigned>(offset)) * 0x01010101u) ^ 0x80808080u;
}

template <class Traits> struct WeightPlanes {
  static_assert(has_whole_scales<Traits>);
  static constexpr int least = UnitCodec<Traits>::least;
  static constexpr int most = UnitCodec<Traits>::most;

  /// Q3_K's reach from -124 to 128: what fits is their negative.
  static constexpr bool negated = most > 127 && most <= 128 && least >= -127;
  static constexpr int count = negated || (least >= -128 && most <= 127) ? 1 : 2;
  static constexpr bool may_be_negative = least < 0;

  /// Codes that are signed bytes become unsigned ones.
  static constexpr bool signed_codes = UnitCodec<Traits>::offset == 0 && may_be_negative;
  static constexpr int offset = UnitCodec<Traits>::offset + (signed_codes ? 128 : 0);

  /// A group's scale, and what has to be added to two products in halves of a word so that none borrows: 2^15, that the
  /// upper bytes are too large by 128, less what the codes are too large.
  struct Scale {
    int factor;
    std::uint32_t added;

    KERN_DEVICE explicit Scale(int whole_scale)
        : factor(negated ? -whole_scale : whole_scale),
          added(may_be_negative ? static_cast<std::uint32_t>(0x8000 - offset * factor) * 0x00010001u : 0) {}
  };

  std::uint32_t low, high; // of four weights; high only where there are two

  /// Of four weights of a group, their codes as the codec gives them: eight or nine instructions.
  KERN_DEVICE WeightPlanes(std::uint32_t codes, const Scale& scale) {
    if constexpr (signed_codes) codes ^= 0x80808080u;
    const auto factor = static_cast<std::uint32_t>(scale.factor);
    const std::uint32_t even = (codes & 0x00FF00FFu) * factor + scale.added;
    const std::uint32_t odd = (codes >> 8 & 0x00FF00FFu) * factor + scale.added;
    low = select_bytes(even, odd, 0x6240u);
    high = count == 1 ? 0 : select_bytes(even, odd, 0x7351u) ^ (may_be_negative ? 0x80808080u : 0u);
  }
};

} // namespace kern::cuda
