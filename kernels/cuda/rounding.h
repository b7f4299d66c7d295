// Norm and rounding of one token's activations within a block, by their definition in kernels/backend.h.
#pragma once

#include "kernels/cuda/activations.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/lanes.h"
#include "kernels/cuda/unit_codec.h"

namespace kern::cuda {

/// Where the 256 activations of a unit go, one after the other.
struct RoundedUnit {
  std::uint32_t* codes; // [64]
  float* scales;        // [256 / rounding]
  std::int16_t* sums;   // [16]

  KERN_DEVICE uint2& eight_codes(int index) const { return reinterpret_cast<uint2*>(codes)[index]; }
  KERN_DEVICE float& scale(int index) const { return scales[index]; }
  /// The sum of 16 codes, those of two lanes.
  KERN_DEVICE void store_sum(int lane, int sum) const {
    if (lane % 2 == 0) sums[lane / 2] = static_cast<std::int16_t>(sum);
  }
};
/// Or in a tile.
template <int rounding> struct UnitOfTile {
  std::byte* tile;
  unsigned token;

  KERN_DEVICE uint2& eight_codes(int index) const {
    const auto eight = static_cast<unsigned>(index);
    return *reinterpret_cast<uint2*>(tile + RoundedTile<rounding>::code(token, eight / 2) + eight % 2 * 8);
  }
  KERN_DEVICE float& scale(int index) const {
    return *reinterpret_cast<float*>(tile + RoundedTile<rounding>::scale(token, static_cast<unsigned>(index)));
  }
  KERN_DEVICE void store_sum(int lane, int sum) const {
    using Tile = RoundedTile<rounding>;
    if constexpr (rounding == 256) {
      const auto of_token = static_cast<unsigned>(lane) / 2;
      if (lane % 2 == 0)
        *reinterpret_cast<std::int16_t*>(tile + Tile::sum(token, of_token / 8) + of_token % 8 * 2) =
            static_cast<std::int16_t>(sum);
    } else {
      sum += from_lane_xor(sum, 2);
      if (lane % 4 == 0)
        *reinterpret_cast<float*>(tile + Tile::sum(token, static_cast<unsigned>(lane) / 4)) = -static_cast<float>(-sum);
    }
  }
};

/// Eight neighbouring activations in each lane of a warp -> codes, sums, scales. `rounding` is 32 or 256.
template <class To> KERN_DEVICE void round_unit(const float (&x)[8], int rounding, const To& to) {
  const int lane = thread_index() % 32;
  int top = 0; // of the magnitudes' bits: exact, and NaN or infinity come out on top
  KERN_UNROLL
  for (int i = 0; i < 8; ++i) {
    const auto bits = static_cast<int>(float_bits(x[i]) & 0x7FFFFFFFu);
    top = bits > top ? bits : top;
  }
  for (int mask = 1; mask < rounding / 8; mask *= 2) {
    const int other = from_lane_xor(top, mask);
    top = other > top ? other : top;
  }
  const float largest = bits_float(static_cast<std::uint32_t>(top));
  // All (nearly) zero: codes 0. Not finite: codes 0 and a scale that carries it into the result.
  const bool usable = largest > 0x1p-120f && top < 0x7F800000;
  const float inverse = divide(127.0f, largest);
  std::uint32_t words[2] = {0, 0};
  int sum = 0;
  KERN_UNROLL
  for (int i = 0; i < 8; ++i) {
    const int code = usable ? static_cast<int>(float_bits(x[i] * inverse + 0x1.8p23f)) - 0x4B400000 : 0;
    words[i / 4] |= (static_cast<std::uint32_t>(code) & 0xFFu) << (i % 4 * 8);
    sum += code;
  }
  sum += from_lane_xor(sum, 1);
  to.eight_codes(lane) = uint2{words[0], words[1]};
  to.store_sum(lane, sum);
  const int lanes = rounding / 8;
  if (lane % lanes == 0) to.scale(lane / lanes) = divide(largest, 127.0f);
}

/// 1 / sqrt(mean(x^2) + epsilon) of x [columns] in shared memory, which no thread may still be writing, in every thread
/// of the block.
KERN_DEVICE float norm_scale(const float* x, int columns, float epsilon, float* place) {
  if (warp_index() == 0) {
    const float mean = divide(sum_of_squares(x, columns), static_cast<float>(columns));
    if (lane_index() == 0) *place = divide(1.0f, square_root(mean + epsilon));
  }
  block_barrier();
  return *place;
}

/// One token's activations, normed or not.
struct ActivationRow {
  const float* x;      // [columns], device or shared memory
  const float* weight; // null: no norm
  float scale;         // of the norm
  int columns;         // a multiple of 8, as rows of blocks are
  float* normed;       // null: not wanted

  /// Columns 8 * lane .. of a unit; zeros behind the last.
  KERN_DEVICE void load(int unit, float (&values)[8]) const {
    const int first = unit * unit_columns + thread_index() % 32 * 8;
    const bool inside = first < columns;
    KERN_UNROLL
    for (int i = 0; i < 8; ++i) values[i] = inside ? x[first + i] : 0.0f;
    if (weight && inside) {
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) values[i] = values[i] * scale * weight[first + i];
    }
    if (normed && inside) {
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) normed[first + i] = values[i];
    }
  }
};

/// x [columns] into shared memory; ends with a barrier.
KERN_DEVICE void stage_row(const float* x, int columns, float* staged) {
  for (int i = thread_index(); i < columns; i += block_threads()) staged[i] = x[i];
  block_barrier();
}

} // namespace kern::cuda
