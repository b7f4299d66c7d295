// A row's unit of 256 weights in one thread's registers, as products want it.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/units.h"

namespace kern::cuda {

/// Where a unit is read from.
enum class UnitHome {
  device, // once, past the first-level cache
  shared,
};

/// The bytes of row `row` (0..15) of a panel's unit, in 32-bit words.
template <class Traits> struct UnitWords {
  static constexpr int count = (Unit<Traits>::bytes + 3) / 4;
  std::uint32_t word[count];

  template <UnitHome home> KERN_DEVICE void load(const std::byte* unit, int row) {
    constexpr int bytes = Unit<Traits>::bytes;
    KERN_UNROLL
    for (int piece = 0; piece < bytes / 16; ++piece) {
      const auto* at = reinterpret_cast<const uint4*>(unit + piece * 16 * panel_rows + row * 16);
      uint4 four;
      if constexpr (home == UnitHome::device) four = load_once(at);
      else four = *at;
      word[piece * 4] = four.x;
      word[piece * 4 + 1] = four.y;
      word[piece * 4 + 2] = four.z;
      word[piece * 4 + 3] = four.w;
    }
    int at = bytes / 16 * 4;
    const std::byte* rest = unit + bytes / 16 * 16 * panel_rows;
    if constexpr ((bytes & 8) != 0) {
      const uint2 two = *reinterpret_cast<const uint2*>(rest + row * 8);
      word[at++] = two.x;
      word[at++] = two.y;
      rest += 8 * panel_rows;
    }
    if constexpr ((bytes & 4) != 0) {
      word[at++] = *reinterpret_cast<const std::uint32_t*>(rest + row * 4);
      rest += 4 * panel_rows;
    }
    if constexpr ((bytes & 2) != 0) word[at] = *reinterpret_cast<const std::uint16_t*>(rest + row * 2);
    static_assert((bytes & 1) == 0);
  }
  KERN_DEVICE std::uint32_t byte(int index) const { return word[index / 4] >> (index % 4 * 8) & 0xFFu; }
  KERN_DEVICE Half half(int index) const { // at an even index
    return Half{static_cast<std::uint16_t>(word[index / 4] >> (index % 4 * 8))};
  }
};

/// Codes, scales and minimums of a unit in the canonical arithmetic's terms:
///   weight = scale(group) * (codes - offset)            formats without minimums
///   weight = scale(group) * codes - min_scale(rounding) * minimum(group)
/// Every member is called with constants, after unrolling. Each format has its own (codecs.h).
template <class Traits> struct UnitCodec;

/// The exact integer sum of the minimums of a rounding with its activations' sums of 16.
template <class Traits>
KERN_DEVICE int sum_minimums(const UnitCodec<Traits>& codec, int rounding, const std::int16_t* sums) {
  int total = 0;
  KERN_UNROLL
  for (int g = 0; g < Unit<Traits>::groups_of_rounding; ++g) {
    const int group = rounding * Unit<Traits>::groups_of_rounding + g;
    int sum = 0;
    KERN_UNROLL
    for (int i = 0; i < Traits::group / 16; ++i) sum += sums[group * (Traits::group / 16) + i];
    total += codec.minimum(group) * sum;
  }
  return total;
}

/// A rounding of a row's unit with one token's, but for the activations' scale; x [64] codes, sums [16] of the unit.
template <class Traits>
KERN_DEVICE float rounding_product(const UnitCodec<Traits>& codec, int rounding, const std::uint32_t* x,
                                   const std::int16_t* sums) {
  constexpr int words = Traits::group / 4;
  float s = 0.0f;
  KERN_UNROLL
  for (int g = 0; g < Unit<Traits>::groups_of_rounding; ++g) {
    const int group = rounding * Unit<Traits>::groups_of_rounding + g;
    int sum = 0;
    if constexpr (UnitCodec<Traits>::offset != 0) {
      KERN_UNROLL
      for (int i = 0; i < Traits::group / 16; ++i)
        sum -= UnitCodec<Traits>::offset * sums[group * (Traits::group / 16) + i];
    }
    KERN_UNROLL
    for (int i = 0; i < words; ++i) sum = dot_bytes(codec.codes(group * words + i), x[group * words + i], sum);
    const auto exact = static_cast<float>(sum); // below 2^24
    s = g == 0 ? exact * codec.scale(group) : fused(exact, codec.scale(group), s);
  }
  if constexpr (Traits::has_min)
    s = fused(-static_cast<float>(sum_minimums<Traits>(codec, rounding, sums)), codec.min_scale(rounding), s);
  return s;
}

} // namespace kern::cuda
