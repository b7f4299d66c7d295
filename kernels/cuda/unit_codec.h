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

/// The bytes of row `row` (0..15) of a panel's unit, as 32-bit words in registers.
template <class Traits> struct UnitWords {
  static constexpr int count = (Unit<Traits>::bytes + 3) / 4;

  template <UnitHome home> KERN_DEVICE void load(const std::byte* unit, int row) {
    constexpr int bytes = Unit<Traits>::bytes;
    KERN_UNROLL
    for (int piece = 0; piece < bytes / 16; ++piece) {
      const auto* at = reinterpret_cast<const uint4*>(unit + piece * 16 * panel_rows + row * 16);
      uint4 four;
      if constexpr (home == UnitHome::device) four = load_once(at);
      else four = *at;
      words_[piece * 4] = four.x;
      words_[piece * 4 + 1] = four.y;
      words_[piece * 4 + 2] = four.z;
      words_[piece * 4 + 3] = four.w;
    }
    int at = bytes / 16 * 4;
    const std::byte* rest = unit + bytes / 16 * 16 * panel_rows;
    if constexpr ((bytes & 8) != 0) {
      const uint2 two = *reinterpret_cast<const uint2*>(rest + row * 8);
      words_[at++] = two.x;
      words_[at++] = two.y;
      rest += 8 * panel_rows;
    }
    if constexpr ((bytes & 4) != 0) {
      words_[at++] = *reinterpret_cast<const std::uint32_t*>(rest + row * 4);
      rest += 4 * panel_rows;
    }
    if constexpr ((bytes & 2) != 0) words_[at] = *reinterpret_cast<const std::uint16_t*>(rest + row * 2);
    static_assert((bytes & 1) == 0);
  }
  KERN_DEVICE std::uint32_t word(int index) const { return words_[index]; }
  /// Word `first + lane`; where words lie elsewhere, `lane` (0..3) need be no constant, and `first` is a multiple of 4.
  KERN_DEVICE std::uint32_t at(int first, int lane) const { return words_[first + lane]; }

private:
  std::uint32_t words_[count];
};

/// The same words where they lie in shared memory, read whenever they are wanted.
template <class Traits> struct SharedWords {
  const unsigned char* unit; // of the panel
  unsigned row;              // of 16

  KERN_DEVICE std::uint32_t word(int index) const {
    constexpr int bytes = Unit<Traits>::bytes;
    constexpr int whole = bytes / 16 * 4;
    constexpr int of_eight = (bytes & 8) != 0 ? 2 : 0;
    constexpr int of_four = (bytes & 4) != 0 ? 1 : 0;
    if (index < whole) return at(index / 4 * 4, index % 4);
    const unsigned char* rest = unit + whole * 4 * panel_rows;
    if (index < whole + of_eight) return read<std::uint32_t>(rest + row * 8 + (index - whole) * 4);
    rest += of_eight * 4 * panel_rows;
    if (index < whole + of_eight + of_four) return read<std::uint32_t>(rest + row * 4);
    return read<std::uint16_t>(rest + of_four * 4 * panel_rows + row * 2);
  }
  KERN_DEVICE std::uint32_t at(int first, int lane) const {
    return read<std::uint32_t>(unit + first * 4 * panel_rows + row * 16 + lane * 4);
  }

private:
  template <class Number> KERN_DEVICE static std::uint32_t read(const unsigned char* from) {
    return *reinterpret_cast<const Number*>(from);
  }
};

template <class Words> KERN_DEVICE std::uint32_t byte_of(const Words& words, int index) {
  return words.word(index / 4) >> (index % 4 * 8) & 0xFFu;
}
/// At an even index.
template <class Words> KERN_DEVICE Half half_of(const Words& words, int index) {
  return Half{static_cast<std::uint16_t>(words.word(index / 4) >> (index % 4 * 8))};
}

/// Codes, scales and minimums of a unit in the canonical arithmetic's terms, made of its `words`:
///   codes(step, half, lane)  weights 32 * step + 16 * half + 4 * lane and the next three, bytes, `offset` too large
///   scale(group)             weight = scale * (code - offset), where has_whole_scales<Traits> is false
///   whole_scale(group), block_scale()  weight = block_scale * whole_scale * (code - offset), where it is true; the
///                            whole numbers whole_scale * (code - offset) are `least` .. `most`
///   minimum(group), min_scale(rounding)  where Traits::has_min: min_scale * minimum is subtracted
///   minimums(half, lane)     where both: of columns 128 * half + 32 * lane and the next 15, then of the next 16, in
///                            bytes 0 and 2
/// Every member is called with constants, after unrolling, but for `lane`. Each format has its own (codecs.h).
template <class Traits, class Words = UnitWords<Traits>> struct UnitCodec;

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

/// The exact integer sum of a group's codes with one token's; x [64] codes, sums [16] of the unit.
template <class Traits>
KERN_DEVICE int sum_group(const UnitCodec<Traits>& codec, int group, const std::uint32_t* x, const std::int16_t* sums) {
  constexpr int words = Traits::group / 4;
  int sum = 0;
  if constexpr (UnitCodec<Traits>::offset != 0) {
    KERN_UNROLL
    for (int i = 0; i < Traits::group / 16; ++i)
      sum -= UnitCodec<Traits>::offset * sums[group * (Traits::group / 16) + i];
  }
  KERN_UNROLL
  for (int i = group * words; i < (group + 1) * words; ++i)
    sum = dot_bytes(codec.codes(i / 8, i / 4 % 2, i % 4), x[i], sum);
  return sum;
}

/// A rounding of a row's unit with one token's, but for the activations' scale; x and sums as above.
template <class Traits>
KERN_DEVICE float rounding_product(const UnitCodec<Traits>& codec, int rounding, const std::uint32_t* x,
                                   const std::int16_t* sums) {
  constexpr int groups = Unit<Traits>::groups_of_rounding;
  float s = 0.0f;
  if constexpr (has_whole_scales<Traits>) {
    int total = 0; // below 2^27
    KERN_UNROLL
    for (int group = 0; group < groups; ++group)
      total += codec.whole_scale(group) * sum_group<Traits>(codec, group, x, sums);
    s = static_cast<float>(total) * codec.block_scale();
  } else {
    KERN_UNROLL
    for (int group = rounding * groups; group < (rounding + 1) * groups; ++group) {
      const auto exact = static_cast<float>(sum_group<Traits>(codec, group, x, sums)); // below 2^24
      s = group == rounding * groups ? exact * codec.scale(group) : fused(exact, codec.scale(group), s);
    }
  }
  if constexpr (Traits::has_min)
    s = fused(-static_cast<float>(sum_minimums<Traits>(codec, rounding, sums)), codec.min_scale(rounding), s);
  return s;
}

} // namespace kern::cuda
