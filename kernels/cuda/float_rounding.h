// Activations rounded to F16 or BF16 for tensor cores, as float_tile_product.cu says: 64 columns of a token share a
// power of two where the type is F16.
#pragma once

#include <type_traits>

#include "kernels/cuda/device.h"

namespace kern::cuda {

inline constexpr unsigned stage_columns_16 = 64; // whose activations share a scale

template <class Block> constexpr bool is_half = std::is_same_v<Block, Half>;

/// Four activations from `column` on, of a row of `columns`; zeros behind it.
KERN_DEVICE void load_columns(const float* row, int column, int columns, float (&to)[4]) {
  if (columns % 4 == 0 && column < columns) {
    const float4 four = *reinterpret_cast<const float4*>(row + column);
    to[0] = four.x;
    to[1] = four.y;
    to[2] = four.z;
    to[3] = four.w;
    return;
  }
  KERN_UNROLL
  for (int i = 0; i < 4; ++i) to[i] = column + i < columns ? row[column + i] : 0.0f;
}

/// The largest magnitude's bits, of `top` and a thread's four.
KERN_DEVICE unsigned largest_bits(const float (&values)[4], unsigned top) {
  KERN_UNROLL
  for (int i = 0; i < 4; ++i) {
    const unsigned bits = float_bits(values[i]) & 0x7FFFFFFFu;
    top = bits > top ? bits : top;
  }
  return top;
}
inline constexpr unsigned least_top_bits = 15u << 23; // so that the scales below are normal numbers

/// What 64 activations are multiplied by before they are rounded, and what their products are multiplied by after it.
struct StageScale {
  float factor, inverse;
};
/// From the bits of their largest: the factor is 2^(14 - its exponent).
template <class Block> KERN_DEVICE StageScale stage_scale(unsigned top) {
  if constexpr (!is_half<Block>) return {1.0f, 1.0f};
  const unsigned exponent = top >> 23; // with the bias of floats
  return {bits_float((268u - exponent) << 23), bits_float((exponent - 14u) << 23)};
}

template <class Block> KERN_DEVICE uint2 round_four(const float (&v)[4], float factor) {
  if constexpr (is_half<Block>)
    return uint2{pack_halves(v[0] * factor, v[1] * factor), pack_halves(v[2] * factor, v[3] * factor)};
  else return uint2{pack_bfloats(v[0], v[1]), pack_bfloats(v[2], v[3])};
}

} // namespace kern::cuda
