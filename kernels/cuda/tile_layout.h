// How a block of a tile product lays out its shared memory, and how its warps share the tile.
//
// A warp multiplies 32 rows by 32 tokens, a block row_warps x token_warps of that. Both kinds of codes lie in rows of
// 256 bytes; their sixteen pieces of 16 bytes are mixed up by the row's number, so that eight rows' equal pieces, which
// matrices are loaded from, lie in different banks.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/units.h"

namespace kern::cuda {

inline constexpr int warp_tile = 32; // rows, tokens

/// Warps of a block in both directions.
struct TileShape {
  int row_warps = 1;
  int token_warps = 1;

  KERN_INLINE int rows() const { return row_warps * warp_tile; }
  KERN_INLINE int tokens() const { return token_warps * warp_tile; }
  KERN_INLINE int panels() const { return rows() / panel_rows; }
  KERN_INLINE int threads() const { return row_warps * token_warps * 32; }
};

/// Bytes of one of the two buffers, each with all that a unit needs, and where things are in it.
template <class Traits> struct TileLayout {
  TileShape shape;

  static constexpr bool wide_minimums = Traits::has_min && Unit<Traits>::rounding == 256;
  static constexpr bool narrow_minimums = Traits::has_min && Unit<Traits>::rounding == 32;

  KERN_INLINE int weights() const { return 0; }                          // codes [rows][256]
  KERN_INLINE int tokens() const { return shape.rows() * unit_columns; } // codes [tokens][256]
  /// float [groups][rows], in the order of row_place()
  KERN_INLINE int scales() const { return tokens() + shape.tokens() * unit_columns; }
  /// float [roundings][tokens], in the order of token_place()
  KERN_INLINE int token_scales() const { return scales() + Unit<Traits>::groups * shape.rows() * 4; }
  /// float [roundings][rows] as scales, where there are minimums
  KERN_INLINE int min_scales() const { return token_scales() + Unit<Traits>::roundings * shape.tokens() * 4; }
  /// Of a rounding of 256: bytes [rows][16], a minimum for each 16 columns.
  KERN_INLINE int minimums() const {
    return min_scales() + (Traits::has_min ? Unit<Traits>::roundings * shape.rows() * 4 : 0);
  }
  /// int16 [tokens][16]; of roundings of 32: pairs of them, [roundings][tokens] as token_scales
  KERN_INLINE int sums() const { return minimums() + (wide_minimums ? shape.rows() * 16 : 0); }
  /// The weights' units as they come, [panels][panel_bytes]
  KERN_INLINE int raw() const { return sums() + (Traits::has_min ? shape.tokens() * 32 : 0); }
  KERN_INLINE int bytes() const { return raw() + shape.panels() * Unit<Traits>::panel_bytes; }
};

/// Where panels of a block begin, before the buffers.
struct TilePanels {
  const std::byte* begin[8];
};

/// Byte `piece * 16` of row `row` of codes.
KERN_INLINE int code_place(int row, int piece) { return row * unit_columns + (piece ^ (row & 7)) * 16; }

/// A thread's rows are g, g + 8, g + 16, g + 24 of its warp's: neighbours here.
KERN_INLINE int row_place(int row) { return row / 32 * 32 + row % 8 * 4 + row % 32 / 8; }

/// A thread's tokens are 2t, 2t + 1 of each eight of its warp's: neighbours here.
KERN_INLINE int token_place(int token) { return token / 32 * 32 + token % 8 / 2 * 8 + token % 32 / 8 * 2 + token % 2; }

} // namespace kern::cuda
