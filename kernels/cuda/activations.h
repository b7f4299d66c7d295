// Activations rounded to int8 in device memory, as kernels/backend.h defines it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/units.h"

namespace kern::cuda {

/// Tokens one after the other; what lies behind a row's columns in its last unit is zeros.
struct RoundedRows {
  std::int8_t* codes = nullptr; // [tokens][units * 256]
  float* scales = nullptr;      // [tokens][units * 256 / rounding]
  std::int16_t* sums = nullptr; // [tokens][units * 16]: exact sums of 16 codes
  int units = 0;
  int rounding = 0; // 32 or 256; 0: not wanted

  static std::size_t bytes(std::int64_t tokens, int units, int rounding) {
    const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(units);
    return count * (unit_columns + unit_columns / 16 * sizeof(std::int16_t)) + scale_bytes(count, rounding);
  }
  /// Carves the arrays from memory that is 256-byte aligned; each is 16-byte aligned, as copies want it.
  static RoundedRows carve(std::byte* memory, std::int64_t tokens, int units, int rounding) {
    const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(units);
    RoundedRows rows;
    rows.codes = reinterpret_cast<std::int8_t*>(memory);
    memory += count * unit_columns;
    rows.scales = reinterpret_cast<float*>(memory);
    memory += scale_bytes(count, rounding);
    rows.sums = reinterpret_cast<std::int16_t*>(memory);
    rows.units = units;
    rows.rounding = rounding;
    return rows;
  }

private:
  /// Of `count` units, with what makes it a multiple of 16.
  static std::size_t scale_bytes(std::size_t count, int rounding) {
    const std::size_t bytes = count * (unit_columns / static_cast<std::size_t>(rounding)) * sizeof(float);
    return (bytes + 15) / 16 * 16;
  }
};

} // namespace kern::cuda
