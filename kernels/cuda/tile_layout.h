// How a block of a tile product lays out its shared memory, and how its warps share the tile.
//
// A warp multiplies 32 rows by 32 tokens, a block row_warps x token_warps of that. Both kinds of codes lie in rows of
// 256 bytes; their sixteen pieces of 16 bytes are mixed up by the row's number, so that eight rows' equal pieces, which
// matrices are loaded from, lie in different banks.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/tile_unit.h"

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

/// Byte `piece * 16` of row `row` of codes.
KERN_INLINE constexpr unsigned code_place(unsigned row, unsigned piece) {
  return row * unit_columns + (piece ^ (row & 7u)) * 16;
}

/// Bytes of one of the two buffers, each with all that a unit needs, and where things are in it.
template <class Traits> struct TileLayout {
  using Format = Traits;
  TileShape shape;

  KERN_INLINE constexpr unsigned rows() const { return shape.rows(); }
  KERN_INLINE constexpr unsigned row_bits() const { return shape.row_bits; }
  KERN_INLINE constexpr unsigned tokens() const { return shape.tokens(); }
  KERN_INLINE constexpr unsigned threads() const { return shape.threads(); }

  KERN_INLINE constexpr unsigned weight_codes() const { return 0; }                          // [rows][256]
  KERN_INLINE constexpr unsigned token_codes() const { return shape.rows() * unit_columns; } // [tokens][256]
  /// float or int [groups][rows], in the order of row_place(), where weights aren't multiplied by them
  KERN_INLINE constexpr unsigned scales() const { return token_codes() + shape.tokens() * unit_columns; }
  /// float [rows] in the same order, where scales are whole numbers
  KERN_INLINE constexpr unsigned block_scales() const {
    return scales() + (unpacks_products<Traits>() ? 0 : Unit<Traits>::groups * shape.rows() * 4);
  }
  /// float [roundings][tokens], in the order of token_place()
  KERN_INLINE constexpr unsigned token_scales() const {
    return block_scales() + (has_whole_scales<Traits> ? shape.rows() * 4 : 0);
  }
  /// float [roundings][rows] as scales, where there are minimums
  KERN_INLINE constexpr unsigned min_scales() const {
    return token_scales() + Unit<Traits>::roundings * shape.tokens() * 4;
  }
  /// Of a rounding of 256: bytes [rows][16], a minimum for each 16 columns.
  KERN_INLINE constexpr unsigned minimums() const {
    return min_scales() + (Traits::has_min ? Unit<Traits>::roundings * shape.rows() * 4 : 0);
  }
  /// int16 [tokens][16]; of roundings of 32: float [roundings][tokens] as token_scales
  KERN_INLINE constexpr unsigned sums() const { return minimums() + (wide_minimums<Traits> ? shape.rows() * 16 : 0); }
  /// The weights' units as they come, [panels][panel_bytes]
  KERN_INLINE constexpr unsigned raw() const { return sums() + (Traits::has_min ? shape.tokens() * 32 : 0); }
  KERN_INLINE constexpr unsigned bytes() const { return raw() + shape.panels() * Unit<Traits>::panel_bytes; }

  /// Sixteen bytes of codes, of a row or of a token.
  KERN_INLINE constexpr unsigned weight_code(unsigned row, unsigned piece) const {
    return weight_codes() + code_place(row, piece);
  }
  KERN_INLINE constexpr unsigned token_code(unsigned token, unsigned piece) const {
    return token_codes() + code_place(token, piece);
  }
  /// Half of a token's sums.
  KERN_INLINE constexpr unsigned token_sums(unsigned token, unsigned piece) const {
    return sums() + token * 32 + piece * 16;
  }
  /// A thread's rows are g, g + 8, g + 16, g + 24 of its warp's: neighbours here.
  KERN_INLINE static constexpr unsigned row_place(unsigned row) {
    return (row & ~31u) | (row & 7u) << 2 | (row & 31u) >> 3;
  }
  /// A thread's tokens are 2t, 2t + 1 of each eight of its warp's: neighbours here.
  KERN_INLINE static constexpr unsigned token_place(unsigned token) {
    return (token & ~31u) | (token & 6u) << 2 | (token >> 3 & 3u) << 1 | (token & 1u);
  }
  KERN_INLINE void store_minimums(unsigned char* buffer, unsigned row, unsigned quarter, std::uint32_t four) const {
    *reinterpret_cast<std::uint32_t*>(buffer + minimums() + row * 16 + quarter * 4) = four;
  }
};

} // namespace kern::cuda
