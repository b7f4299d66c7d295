// How a block of a tile product lays out its shared memory, and how its warps share the tile.
//
// A warp multiplies 32 rows by 32 tokens, a block row_warps x token_warps of that. Both kinds of codes lie in rows of
// 256 bytes; their sixteen pieces of 16 bytes are mixed up by the row's number, so that eight rows' equal pieces, which
// matrices are loaded from, lie in different banks.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/units.h"

namespace kern::cuda {

inline constexpr unsigned warp_tile = 32; // rows, tokens

/// Warps of a block in both directions, powers of two.
struct TileShape {
  unsigned row_bits = 0;
  unsigned token_bits = 0;

  KERN_INLINE constexpr unsigned row_warps() const { return 1u << row_bits; }
  KERN_INLINE constexpr unsigned token_warps() const { return 1u << token_bits; }
  KERN_INLINE constexpr unsigned rows() const { return warp_tile << row_bits; }
  KERN_INLINE constexpr unsigned tokens() const { return warp_tile << token_bits; }
  KERN_INLINE constexpr unsigned panels() const { return 2u << row_bits; }
  KERN_INLINE constexpr unsigned threads() const { return 32u << (row_bits + token_bits); }
};

/// Bytes of one of the two buffers, each with all that a unit needs, and where things are in it.
template <class Traits> struct TileLayout {
  TileShape shape;

  static constexpr bool wide_minimums = Traits::has_min && Unit<Traits>::rounding == 256;
  static constexpr bool narrow_minimums = Traits::has_min && Unit<Traits>::rounding == 32;

  KERN_INLINE constexpr unsigned weights() const { return 0; }                          // codes [rows][256]
  KERN_INLINE constexpr unsigned tokens() const { return shape.rows() * unit_columns; } // codes [tokens][256]
  /// float [groups][rows], in the order of row_place()
  KERN_INLINE constexpr unsigned scales() const { return tokens() + shape.tokens() * unit_columns; }
  /// float [roundings][tokens], in the order of token_place()
  KERN_INLINE constexpr unsigned token_scales() const { return scales() + Unit<Traits>::groups * shape.rows() * 4; }
  /// float [roundings][rows] as scales, where there are minimums
  KERN_INLINE constexpr unsigned min_scales() const {
    return token_scales() + Unit<Traits>::roundings * shape.tokens() * 4;
  }
  /// Of a rounding of 256: bytes [rows][16], a minimum for each 16 columns.
  KERN_INLINE constexpr unsigned minimums() const {
    return min_scales() + (Traits::has_min ? Unit<Traits>::roundings * shape.rows() * 4 : 0);
  }
  /// int16 [tokens][16]; of roundings of 32: pairs of them, [roundings][tokens] as token_scales
  KERN_INLINE constexpr unsigned sums() const { return minimums() + (wide_minimums ? shape.rows() * 16 : 0); }
  /// The weights' units as they come, [panels][panel_bytes]
  KERN_INLINE constexpr unsigned raw() const { return sums() + (Traits::has_min ? shape.tokens() * 32 : 0); }
  KERN_INLINE constexpr unsigned bytes() const { return raw() + shape.panels() * Unit<Traits>::panel_bytes; }
};

/// Where panels of a block begin, before the buffers.
struct TilePanels {
  const std::byte* begin[8];
};

/// Byte `piece * 16` of row `row` of codes.
KERN_INLINE unsigned code_place(unsigned row, unsigned piece) { return row * unit_columns + (piece ^ (row & 7u)) * 16; }

/// A thread's rows are g, g + 8, g + 16, g + 24 of its warp's: neighbours here.
KERN_INLINE unsigned row_place(unsigned row) { return (row & ~31u) | (row & 7u) << 2 | (row & 31u) >> 3; }

/// A thread's tokens are 2t, 2t + 1 of each eight of its warp's: neighbours here.
KERN_INLINE unsigned token_place(unsigned token) {
  return (token & ~31u) | (token & 6u) << 2 | (token >> 3 & 3u) << 1 | (token & 1u);
}

} // namespace kern::cuda
