// How a block of warpgroups lays out its shared memory for products with narrow roundings: as tile_layout.h says for
// warps, but codes stand as operands of warpgroup products, in two halves of 128 bytes along k.
#pragma once

#include "kernels/cuda/tile_unit.h"
#include "kernels/cuda/warpgroup_tile.h"

namespace kern::cuda {

/// Bytes of one of the two buffers, and where things are in it; each begins at a multiple of 1024. There is room for
/// two warpgroups' rows, whether the block has one or two: so all places are constants.
template <class Traits> struct WarpgroupLayout {
  using Format = Traits;
  unsigned warpgroups; // of the block

  KERN_INLINE static constexpr unsigned rows() { return 2 * warpgroup_rows; }
  KERN_INLINE constexpr unsigned row_bits() const { return warpgroups; } // of 32, times two so often
  KERN_INLINE static constexpr unsigned tokens() { return warpgroup_tokens; }
  KERN_INLINE constexpr unsigned threads() const { return warpgroups * warpgroup_threads; }

  // Bytes of the first half's codes, where the second half begins.
  KERN_INLINE static constexpr unsigned weight_half() { return rows() * operand_row_bytes; }
  KERN_INLINE static constexpr unsigned token_half() { return tokens() * operand_row_bytes; }

  KERN_INLINE static constexpr unsigned weight_codes() { return 0; }
  KERN_INLINE static constexpr unsigned token_codes() { return 2 * weight_half(); }
  /// Pairs of int16, [roundings][tokens] as token_scales, where there are minimums
  KERN_INLINE static constexpr unsigned sums() { return token_codes() + 2 * token_half(); }
  /// float [groups][rows], in the order of warpgroup_row_place()
  KERN_INLINE static constexpr unsigned scales() { return sums() + (Traits::has_min ? tokens() * 32 : 0); }
  /// float [roundings][tokens], in the order of warpgroup_token_place()
  KERN_INLINE static constexpr unsigned token_scales() { return scales() + Unit<Traits>::groups * rows() * 4; }
  /// float [roundings][rows] as scales, where there are minimums
  KERN_INLINE static constexpr unsigned min_scales() { return token_scales() + Unit<Traits>::roundings * tokens() * 4; }
  /// The weights' units as they come, [panels][panel_bytes]
  KERN_INLINE static constexpr unsigned raw() {
    return min_scales() + (Traits::has_min ? Unit<Traits>::roundings * rows() * 4 : 0);
  }
  KERN_INLINE static constexpr unsigned bytes() {
    const unsigned end = raw() + rows() / panel_rows * Unit<Traits>::panel_bytes;
    return (end + operand_alignment - 1) / operand_alignment * operand_alignment;
  }

  /// Sixteen bytes of codes, of a row or of a token.
  KERN_INLINE static constexpr unsigned weight_code(unsigned row, unsigned piece) {
    return weight_codes() + piece / 8 * weight_half() + swizzled_place(operand_row(row), piece);
  }
  KERN_INLINE static constexpr unsigned token_code(unsigned token, unsigned piece) {
    return token_codes() + piece / 8 * token_half() + swizzled_place(token, piece);
  }
  KERN_INLINE static constexpr unsigned row_place(unsigned row) { return warpgroup_row_place(row); }
  KERN_INLINE static constexpr unsigned token_place(unsigned token) { return warpgroup_token_place(token); }
};

} // namespace kern::cuda
