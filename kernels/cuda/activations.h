// Activations rounded to int8 in device memory, as kernels/backend.h defines it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/operand_places.h"

namespace kern::cuda {

/// How a unit of 128 tokens lies, rounded in blocks of 32 or 256: as warpgroups want it in shared memory, where one
/// copy brings it.
template <int rounding> struct RoundedTile {
  static constexpr unsigned tokens = warpgroup_tokens;
  static constexpr unsigned roundings = unit_columns / rounding;

  /// Two swizzled operands, of 128 columns each; then float [roundings][tokens] in the order of
  /// warpgroup_token_place(). Then what minimums are multiplied by: of blocks of 256 exact sums of 16 codes, a plain
  /// operand, int16 [tokens][16]; of blocks of 32 their exact sums, float [roundings][tokens] as the scales, with -0
  /// for 0, because minimums are -1 times what is added.
  static constexpr unsigned half_bytes = tokens * operand_row_bytes;
  static constexpr unsigned scales = 2 * half_bytes;
  static constexpr unsigned sums = scales + roundings * tokens * 4;
  static constexpr unsigned bytes = sums + tokens * 32;

  /// Sixteen codes of a token.
  KERN_INLINE static constexpr unsigned code(unsigned token, unsigned piece) {
    return piece / 8 * half_bytes + swizzled_place(token, piece);
  }
  KERN_INLINE static constexpr unsigned scale(unsigned token, unsigned of_rounding) {
    return scales + (of_rounding * tokens + warpgroup_token_place(token)) * 4;
  }
  /// The eight sums of a token's half; of blocks of 32, the sum of one.
  KERN_INLINE static constexpr unsigned sum(unsigned token, unsigned index) {
    if constexpr (rounding == 256) return sums + plain_place(token, index);
    else return sums + (index * tokens + warpgroup_token_place(token)) * 4;
  }
};

/// Activations of tokens. What lies behind a row's columns in its last unit is zeros, what belongs to tokens behind the
/// last anything.
struct RoundedRows {
  std::byte* tiles = nullptr; // RoundedTile [tokens / 128][units]
  int units = 0;
  int rounding = 0; // 32 or 256; 0: not wanted

  template <int of> KERN_INLINE std::byte* tile(int of_tokens, int unit) const {
    return tiles + static_cast<std::size_t>(of_tokens * units + unit) * RoundedTile<of>::bytes;
  }

  static std::size_t bytes(std::int64_t tokens, int units, int rounding) {
    const auto count = (static_cast<std::size_t>(tokens) + warpgroup_tokens - 1) / warpgroup_tokens;
    return count * static_cast<std::size_t>(units) *
           (rounding == 256 ? RoundedTile<256>::bytes : RoundedTile<32>::bytes);
  }
};

} // namespace kern::cuda
