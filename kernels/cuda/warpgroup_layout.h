// How a block of warpgroups lays out its shared memory for integer products: as tile_layout.h says for warps, but codes
// stand as operands of warpgroup products, in two halves of 128 bytes along k.
#pragma once

#include "kernels/cuda/warpgroup_tile.h"

namespace kern::cuda {

/// Bytes of one of the two buffers, and where things are in it; each begins at a multiple of 1024. There is room for
/// two warpgroups' rows, whether the block has one or two: so all places are constants.
template <class Traits> struct WarpgroupLayout {
  using Format = Traits;
  unsigned warpgroups; // of the block

  static constexpr bool wide_minimums = Traits::has_min && Unit<Traits>::rounding == 256;
  static constexpr bool narrow_minimums = Traits::has_min && Unit<Traits>::rounding == 32;

  KERN_INLINE static constexpr unsigned rows() { return 2 * warpgroup_rows; }
  KERN_INLINE constexpr unsigned row_bits() const { return warpgroups; } // of 32, times two so often
  KERN_INLINE static constexpr unsigned tokens() { return warpgroup_tokens; }
  KERN_INLINE constexpr unsigned threads() const { return warpgroups * warpgroup_threads; }

  // Bytes of the first half's codes, where the second half begins.
  KERN_INLINE static constexpr unsigned weight_half() { return rows() * operand_row_bytes; }
  KERN_INLINE static constexpr unsigned token_half() { return tokens() * operand_row_bytes; }

  KERN_INLINE static constexpr unsigned weight_codes() { return 0; }
  KERN_INLINE static constexpr unsigned token_codes() { return 2 * weight_half(); }
  /// Of a rounding of 256: plain operands with the minimum of each 16 columns, [2][rows][32 bytes]: in even bytes for
  /// sums' lower bytes, then in odd bytes for their upper ones.
  KERN_INLINE static constexpr unsigned minimums() { return token_codes() + 2 * token_half(); }
  /// Then a plain operand, int16 [tokens][16]; of roundings of 32 pairs of int16, [roundings][tokens] as token_scales.
  KERN_INLINE static constexpr unsigned sums() { return minimums() + (wide_minimums ? 2 * rows() * 32 : 0); }
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
  /// Half of a token's sums.
  KERN_INLINE static constexpr unsigned token_sums(unsigned token, unsigned piece) {
    return sums() + plain_place(token, piece);
  }
  KERN_INLINE static constexpr unsigned row_place(unsigned row) { return warpgroup_row_place(row); }
  KERN_INLINE static constexpr unsigned token_place(unsigned token) { return warpgroup_token_place(token); }
  KERN_INLINE static void store_minimums(unsigned char* buffer, unsigned row, unsigned quarter, std::uint32_t four) {
    const std::uint32_t first = (four & 0xFFu) | (four & 0xFF00u) << 8;
    const std::uint32_t second = (four >> 16 & 0xFFu) | (four >> 24) << 16;
    unsigned char* to = buffer + minimums() + plain_place(operand_row(row), quarter / 2) + quarter % 2 * 8;
    *reinterpret_cast<uint2*>(to) = uint2{first, second};
    *reinterpret_cast<uint2*>(to + rows() * 32) = uint2{first << 8, second << 8};
  }
};

} // namespace kern::cuda
