// What the codecs share.
#pragma once

#include "kernels/cuda/unit_codec.h"
#include "quant/code_tables.h"

namespace kern::cuda {

/// One of the two nibbles of each byte.
KERN_DEVICE std::uint32_t nibbles(std::uint32_t word, int high) { return word >> (4 * high) & 0x0F0F0F0Fu; }
/// Two bits of each byte.
KERN_DEVICE std::uint32_t pairs(std::uint32_t word, int shift) { return word >> shift & 0x03030303u; }

/// Bit i of four, as bit `place` of byte i; what is above the four is ignored.
KERN_DEVICE std::uint32_t spread_bits(std::uint32_t bits, int place) {
  // The copies of four bits, seven apart, don't touch.
  return ((bits & 15u) * (0x00204081u << place)) & (0x01010101u << place);
}

/// Sixteen signed bytes, four a word, the first in the lowest.
struct NibbleTable {
  std::uint32_t words[4];
};

/// What the table has for one of the two nibbles of each byte.
KERN_DEVICE std::uint32_t look_up_nibbles(const NibbleTable& table, std::uint32_t word, int high) {
  // A selector's nibble has three bits for one of eight bytes; its fourth has another meaning. So both halves of the
  // table are asked, and the fourth bits choose between the answers. Both values of `high` share all but the last step.
  const std::uint32_t low_bits = word & 0x77777777u;
  const std::uint32_t choice = (word & 0x88888888u) >> 1 | 0x32103210u;
  const std::uint32_t first = select_bytes(select_bytes(table.words[0], table.words[1], low_bits),
                                           select_bytes(table.words[2], table.words[3], low_bits), choice);
  const std::uint32_t second = select_bytes(select_bytes(table.words[0], table.words[1], low_bits >> 16),
                                            select_bytes(table.words[2], table.words[3], low_bits >> 16), choice >> 16);
  return select_bytes(first, second, high ? 0x7531u : 0x6420u);
}

/// The table of a format's scalar code (quant/code_tables.h).
template <std::int8_t (*code)(int)> KERN_INLINE constexpr NibbleTable nibble_table() {
  NibbleTable table{};
  for (int i = 0; i < 16; ++i)
    table.words[i / 4] |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(code(i))) << (8 * (i % 4));
  return table;
}

} // namespace kern::cuda
