// Where the numbers of an operand of warpgroups' products stand in shared memory, and in device memory where they are
// copied from in one piece.
//
// An operand lies K-major: rows of a (columns of b) that follow each other, each with its bytes along k. Both kinds
// that are used here are made of eight rows by 16 bytes, which the hardware reads at once:
//   swizzled: rows of 128 bytes, eight of them 1024 bytes, whose pieces of 16 bytes stand at (piece ^ row % 8): lanes
//     that write the same piece of eight rows, or the eight pieces of a row, meet no bank twice. Begins at a multiple
//     of 1024; steps along k are 32 bytes of the 128.
//   plain: 32 bytes along k; eight rows by 16 bytes are 128 bytes in a run, the second 16 bytes follow, then the next
//     eight rows, 256 bytes further.
// PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions": "Shared Memory Layout".
#pragma once

#include "kernels/cuda/units.h"

namespace kern::cuda {

inline constexpr unsigned operand_row_bytes = 128; // of a swizzled operand
inline constexpr unsigned operand_alignment = 1024;
inline constexpr unsigned warpgroup_tokens = 128; // of a tile

/// Where 16 bytes of a swizzled operand stand: of row `row`, along k piece `piece` of 8.
KERN_INLINE constexpr unsigned swizzled_place(unsigned row, unsigned piece) {
  return row * operand_row_bytes + ((piece ^ row) & 7u) * 16;
}
/// The same of a plain operand; piece 0 or 1.
KERN_INLINE constexpr unsigned plain_place(unsigned row, unsigned piece) {
  return row / 8 * 256 + piece * 128 + row % 8 * 16;
}
/// The order of numbers that belong to tokens: a thread's, 2t and 2t + 1 of each eight, are fours of two eights.
KERN_INLINE constexpr unsigned warpgroup_token_place(unsigned token) {
  return (token & ~15u) | (token & 6u) << 1 | (token >> 3 & 1u) << 1 | (token & 1u);
}

} // namespace kern::cuda
