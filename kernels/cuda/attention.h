// What the attention kernels share: which keys a query sees, and how the cache's codes become numbers.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/lanes.h"

namespace kern::cuda {

/// The longest heads that the attention kernels take; they have an even number of dimensions.
inline constexpr int most_head_dim = 256;

inline constexpr float minus_infinity = -__builtin_huge_valf();

/// First position a query sees.
KERN_DEVICE int first_visible(int position, int window) {
  return window > 0 && position >= window ? position - window + 1 : 0;
}

/// Slots [begin, end) of a chunk that a query sees; none where begin >= end.
struct SlotRange {
  int begin;
  int end;

  KERN_DEVICE static SlotRange seen(int position, int window, int chunk) {
    const int first = first_visible(position, window) - chunk * page_positions;
    const int last = position - chunk * page_positions + 1;
    return {first > 0 ? first : 0, last < page_positions ? last : page_positions};
  }
};

/// Page table of a sequence.
KERN_DEVICE const std::int32_t* page_table_of(const StepInputs& step, int group, int sequence) {
  return step.page_table + (static_cast<std::int64_t>(group) * step.sequences + sequence) * step.pages_per_sequence;
}

/// Byte `index` of a word as a number, minus 128 or minus 8 (signed bytes of q8_0 xor 0x80, nibbles of q4_0): the byte
/// becomes the fraction of 2^23, and the difference is exact. Two instructions of full rate, where a conversion has a
/// fraction of it.
KERN_DEVICE float byte_less(std::uint32_t word, int index, float less) {
  return bits_float(select_bytes(word, 0x4B000000u, 0x7540u | static_cast<std::uint32_t>(index))) - (8388608.0f + less);
}

} // namespace kern::cuda
