// What an encoder decides of a block; every format's pack() lays it out, the inverse of its unpack functions.
#pragma once

#include "quant/half.h"

namespace kern {

struct BlockParts {
  Half d{};                             // scale, or scale of the scales
  Half min{};                           // minimum, or scale of the minimums
  const std::uint8_t* digits = nullptr; // [width], as stored: before the offset or table that makes them codes
  const std::uint8_t* scales = nullptr; // [groups], as stored
  const std::uint8_t* mins = nullptr;   // [groups], as stored
};

/// to [count] = low nibbles digits [0, count), high nibbles digits [count, 2 * count)
KERN_INLINE void pack_nibbles(const std::uint8_t* digits, int count, std::uint8_t* to) {
  for (int i = 0; i < count; ++i) to[i] = static_cast<std::uint8_t>((digits[i] & 15) | (digits[count + i] << 4));
}

/// to [32]: two bits of each of four runs of 32 digits
KERN_INLINE void pack_pairs(const std::uint8_t* digits, std::uint8_t* to) {
  for (int i = 0; i < 32; ++i)
    to[i] = static_cast<std::uint8_t>((digits[i] & 3) | (digits[32 + i] & 3) << 2 | (digits[64 + i] & 3) << 4 |
                                      (digits[96 + i] & 3) << 6);
}

/// to [4]: bit i is the fifth bit of digit i
KERN_INLINE void pack_fifth_bits(const std::uint8_t* digits, std::uint8_t* to) {
  for (int byte = 0; byte < 4; ++byte) {
    int bits = 0;
    for (int i = 0; i < 8; ++i) bits |= (digits[byte * 8 + i] >> 4 & 1) << i;
    to[byte] = static_cast<std::uint8_t>(bits);
  }
}

} // namespace kern
