// What the grid formats (IQ1_*, IQ2_*, IQ3_*) share: several weights together are one point of a grid, named by its
// number in a code book. The points of IQ2_* and IQ3_* are magnitudes; bits beside them are the signs. Codes are made
// in 64-bit words of eight bytes, the first weight in the lowest.
#pragma once

#include <cstring>

#include "quant/decode.h"
#include "quant/grids.h"

namespace kern {

/// A code book as a table: a point's coordinates as the bytes of a word.
template <class Word, int entries> struct GridTable {
  static constexpr int size = entries;
  Word points[entries];
};

/// `levels` [base]: the bytes that stand for a coordinate's levels
template <class Word, int entries, int size, int base>
KERN_INLINE constexpr GridTable<Word, entries> grid_table(const grids::Book<entries, size, base>& book,
                                                          const std::uint8_t (&levels)[base]) {
  static_assert(sizeof(Word) == size);
  GridTable<Word, entries> table{};
  int entry = 0;
  for (int number = 0; number < book.numbers; ++number) {
    if ((book.set[number / 64] >> (number % 64) & 1u) == 0) continue;
    for (int i = 0, rest = number; i < size; ++i, rest /= base)
      table.points[entry] |= static_cast<Word>(levels[rest % base]) << (8 * i);
    ++entry;
  }
  return table;
}

/// For loops whose four rounds differ by what the compiler then knows. Devices have ways of their own.
#if defined(__CUDACC__)
#define KERN_UNROLL_FOUR
#elif defined(__clang__)
#define KERN_UNROLL_FOUR _Pragma("unroll 4")
#else
#define KERN_UNROLL_FOUR _Pragma("GCC unroll 4")
#endif

/// What stands beside a grid format's points.
enum class GridSigns {
  even,           // of eight weights, of which an even number is negative
  free,           // of eight weights
  shifted_groups, // no signs; all codes of a group are 1 higher or 1 lower
  shifted_eights, // the same of eight weights
};

/// What an encoder decides of a block of a grid format; pack() lays it out, the inverse of the unpack functions.
struct GridParts {
  Half d{};                              // scale of the scales
  const std::uint16_t* points = nullptr; // [32 or 64]: numbers in the book
  const std::uint8_t* signs = nullptr;   // [32], of eight weights: a bit a weight, or 1 where codes are shifted down
  const std::uint8_t* scales = nullptr;  // [groups]: n
};

/// The magnitudes of IQ2_XXS, IQ2_XS and IQ2_S.
inline constexpr std::uint8_t grid_levels_iq2[3] = {8, 25, 43};

/// The same byte eight times.
KERN_INLINE constexpr std::uint64_t eight_bytes(std::uint64_t byte) { return byte * 0x0101010101010101u; }

KERN_INLINE void store_codes(std::int8_t* codes, std::uint64_t word) { std::memcpy(codes, &word, sizeof word); }

/// codes [8] = the bytes of `magnitudes`, 1..127, negative where the bit in `signs` is set
KERN_INLINE void store_signed(std::int8_t* codes, std::uint64_t magnitudes, std::uint32_t signs) {
  // Bit i alone in byte i; then 1 in every byte that has its bit. No sum below carries into the next byte.
  const std::uint64_t apart = eight_bytes(signs & 255u) & 0x8040201008040201u;
  const std::uint64_t negative = ((apart + eight_bytes(0x7F)) >> 7) & eight_bytes(1);
  store_codes(codes, (magnitudes ^ (negative * 255u)) + negative);
}

/// Eight signs kept as seven bits: the number of negative weights is even.
KERN_INLINE constexpr std::uint32_t even_signs(std::uint32_t seven) {
  seven &= 127u;
  const std::uint32_t parity = 0x6996u >> ((seven ^ (seven >> 4)) & 15u) & 1u; // bit n of the constant: parity of n
  return seven | parity << 7;
}

/// A coordinate's levels of IQ1_S and IQ1_M, shifted up: eight times -1, 0 or 1, and 1 more; plus 128, so that no byte
/// borrows from the next in what follows.
inline constexpr std::uint8_t grid_levels_iq1_up[3] = {129 - 8, 129, 129 + 8};

/// codes [8] of those formats from such bytes; two less where `down` is 1, not 0
KERN_INLINE void store_shifted(std::int8_t* codes, std::uint64_t up, std::uint32_t down) {
  store_codes(codes, (up - eight_bytes(2 * down)) ^ eight_bytes(128));
}

KERN_INLINE void store_little_endian_32(std::uint32_t word, std::uint8_t (&bytes)[4]) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(word >> (8 * i));
}

/// Seven signs of each of four runs of eight weights, whose eighth follows from them, and a scale of four bits.
KERN_INLINE std::uint32_t pack_even_signs(const std::uint8_t* signs, std::uint32_t scale) {
  std::uint32_t word = scale << 28;
  for (int i = 0; i < 4; ++i) word |= (signs[i] & 127u) << (7 * i);
  return word;
}

KERN_INLINE std::uint32_t little_endian_32(const std::uint8_t (&bytes)[4]) {
  std::uint32_t word = 0;
  for (int i = 0; i < 4; ++i) word |= static_cast<std::uint32_t>(bytes[i]) << (8 * i);
  return word;
}

/// packed [groups / 2] = numbers of four bits [groups]: two a byte, low nibble first
KERN_INLINE void pack_scales(const std::uint8_t* numbers, int groups, std::uint8_t* packed) {
  for (int g = 0; g < groups; g += 2)
    packed[g / 2] = static_cast<std::uint8_t>((numbers[g] & 15) | (numbers[g + 1] & 15) << 4);
}

/// scales [groups] = 2 * n + 1, `n` of four bits: two groups a byte, low nibble first.
template <int groups> KERN_INLINE void unpack_odd_scales(const std::uint8_t* packed, std::int16_t* scales) {
  for (int g = 0; g < groups; ++g)
    scales[g] = static_cast<std::int16_t>(2 * ((packed[g / 2] >> (4 * (g % 2))) & 15) + 1);
}

} // namespace kern
