// Activations rounded to int8 in device memory, as kernels/backend.h defines it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/operand_places.h"

namespace kern::cuda {

/// How a unit of 128 tokens lies that are rounded in blocks of 256: as warpgroups want it in shared memory, where one
/// copy brings it.
struct RoundedTile {
  static constexpr unsigned tokens = warpgroup_tokens;

  /// Two swizzled operands, of 128 columns each; then float [tokens] in the order of warpgroup_token_place(); then a
  /// plain operand of exact sums of 16 codes, int16 [tokens][16].
  static constexpr unsigned half_bytes = tokens * operand_row_bytes;
  static constexpr unsigned scales = 2 * half_bytes;
  static constexpr unsigned sums = scales + tokens * 4;
  static constexpr unsigned bytes = sums + tokens * 32;

  /// Sixteen codes of a token.
  KERN_INLINE static constexpr unsigned code(unsigned token, unsigned piece) {
    return piece / 8 * half_bytes + swizzled_place(token, piece);
  }
  KERN_INLINE static constexpr unsigned scale(unsigned token) { return scales + warpgroup_token_place(token) * 4; }
  /// Eight sums of a token.
  KERN_INLINE static constexpr unsigned sum(unsigned token, unsigned half) { return sums + plain_place(token, half); }
};

/// Activations of tokens; what lies behind a row's columns in its last unit is zeros.
struct RoundedRows {
  // Of roundings of 32, tokens one after the other:
  std::int8_t* codes = nullptr; // [tokens][units * 256]
  float* scales = nullptr;      // [tokens][units * 8]
  std::int16_t* sums = nullptr; // [tokens][units * 16]: exact sums of 16 codes
  // Of roundings of 256; what belongs to tokens behind the last is anything:
  std::byte* tiles = nullptr; // RoundedTile [tokens / 128][units]
  int units = 0;
  int rounding = 0; // 32 or 256; 0: not wanted

  KERN_INLINE std::byte* tile(int of_tokens, int unit) const {
    return tiles + static_cast<std::size_t>(of_tokens * units + unit) * RoundedTile::bytes;
  }

  static std::size_t bytes(std::int64_t tokens, int units, int rounding) {
    const auto unit_count = static_cast<std::size_t>(units);
    const auto count = static_cast<std::size_t>(tokens);
    if (rounding == 256)
      return (count + RoundedTile::tokens - 1) / RoundedTile::tokens * unit_count * RoundedTile::bytes;
    return count * unit_count * (unit_columns + 8 * sizeof(float) + 16 * sizeof(std::int16_t));
  }
  /// Carves the arrays from memory that is 256-byte aligned; each is 16-byte aligned, as copies want it.
  static RoundedRows carve(std::byte* memory, std::int64_t tokens, int units, int rounding) {
    const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(units);
    RoundedRows rows;
    rows.units = units;
    rows.rounding = rounding;
    if (rounding == 256) {
      rows.tiles = memory;
      return rows;
    }
    rows.codes = reinterpret_cast<std::int8_t*>(memory);
    memory += count * unit_columns;
    rows.scales = reinterpret_cast<float*>(memory);
    memory += count * 8 * sizeof(float);
    rows.sums = reinterpret_cast<std::int16_t*>(memory);
    return rows;
  }
};

} // namespace kern::cuda
