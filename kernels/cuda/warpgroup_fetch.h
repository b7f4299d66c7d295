// How a unit of 256 columns comes to a block of warpgroups: what tile_unit.h brings for other blocks, with addresses
// that are found once a unit and then stepped.
#pragma once

#include "kernels/cuda/tile_unit.h"
#include "kernels/cuda/warpgroup_layout.h"

namespace kern::cuda {

/// Brings a unit of the block's panels, as they lie: a warp each.
template <class Traits>
KERN_DEVICE void fetch_panels(const WarpgroupLayout<Traits>& layout, const TilePanels& panels, int unit,
                              unsigned char* buffer) {
  constexpr unsigned panel_bytes = Unit<Traits>::panel_bytes;
  constexpr unsigned pieces = panel_bytes / 16;
  const auto thread = static_cast<unsigned>(thread_index());
  const unsigned lane = thread % 32;
  const std::byte* from = panels.begin[thread / 32] + static_cast<std::size_t>(unit) * panel_bytes + lane * 16;
  unsigned char* to = buffer + layout.raw() + thread / 32 * panel_bytes + lane * 16;
  KERN_UNROLL
  for (unsigned first = 0; first < pieces; first += 32)
    if (first + lane < pieces) copy_async(to + first * 16, from + first * 16);
}

/// Brings a unit of the block's tokens, rounded in blocks of 32. Those behind the last stay what they were: nobody
/// stores what comes of them.
template <class Traits> struct WarpgroupTokens {
  using Layout = WarpgroupLayout<Traits>;
  const Layout& layout;
  const TileTokens& from;

  KERN_DEVICE void fetch(int unit, unsigned char* buffer) const {
    fetch_codes(unit, buffer);
    fetch_scales(unit, buffer);
  }

private:
  KERN_DEVICE int left() const { return from.tokens - from.first; }

  /// Sixteen threads a token. Steps are multiples of eight tokens, which leave pieces where they are in a row.
  KERN_DEVICE void fetch_codes(int unit, unsigned char* buffer) const {
    const auto thread = static_cast<unsigned>(thread_index());
    const unsigned step = layout.threads() / 16;
    const std::int8_t* codes = from.x.codes + from.unit_at(thread / 16, unit) * unit_columns + thread % 16 * 16;
    const std::size_t codes_step = std::size_t{step} * static_cast<std::size_t>(from.x.units) * unit_columns;
    unsigned char* to = buffer + layout.token_code(thread / 16, thread % 16);
    const int end = left();
    KERN_UNROLL_BY(4)
    for (unsigned token = thread / 16; token < Layout::tokens(); token += step) {
      if (static_cast<int>(token) < end) copy_async(to, codes);
      to += step * operand_row_bytes;
      codes += codes_step;
    }
  }

  /// Eight threads a token, its scales (and sums) into eight arrays.
  KERN_DEVICE void fetch_scales(int unit, unsigned char* buffer) const {
    const auto thread = static_cast<unsigned>(thread_index());
    const unsigned step = layout.threads() / 8; // a multiple of 16, which are what an array's order mixes up
    const std::size_t first = from.unit_at(thread / 8, unit);
    const std::size_t unit_step = std::size_t{step} * static_cast<std::size_t>(from.x.units);
    const float* scales = from.x.scales + first * 8 + thread % 8;
    const std::int16_t* sums = from.x.sums + first * 16 + thread % 8 * 2;
    unsigned place = (thread % 8 * Layout::tokens() + Layout::token_place(thread / 8)) * 4;
    const int end = left();
    KERN_UNROLL_BY(4)
    for (unsigned token = thread / 8; token < Layout::tokens(); token += step) {
      if (static_cast<int>(token) < end) {
        copy_word_async(buffer + layout.token_scales() + place, scales);
        if constexpr (narrow_minimums<Traits>) copy_word_async(buffer + layout.sums() + place, sums);
      }
      place += step * 4;
      scales += unit_step * 8;
      sums += unit_step * 16;
    }
  }
};

} // namespace kern::cuda
