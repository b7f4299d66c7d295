// How warpgroups share a block's tile of a product: 64 rows each, or a multiple of that, by 128 tokens.
#pragma once

#include <initializer_list>

#include "kernels/cuda/product_parts.h"
#include "kernels/cuda/warpgroup.h"

namespace kern::cuda {

inline constexpr unsigned warpgroup_panels = warpgroup_rows / panel_rows;

/// Where a row of the tile stands in the operand: equal rows of two neighbouring panels are eight apart, so that one
/// thread has their results, as Epilogue::activate wants it.
KERN_INLINE constexpr unsigned operand_row(unsigned row) { return (row & ~24u) | (row & 8u) << 1 | (row & 16u) >> 1; }
/// What a thread knows of its place.
struct WarpgroupPlace {
  unsigned warpgroup, warp, lane; // of the block, of the warpgroup, of the warp
  int first_token;                // of the block

  KERN_DEVICE WarpgroupPlace() {
    const auto thread = static_cast<unsigned>(thread_index());
    warpgroup = thread / warpgroup_threads;
    warp = thread / 32 % 4;
    lane = thread % 32;
    first_token = block_x() * static_cast<int>(warpgroup_tokens);
  }
};

/// Stores 64 rows by 128 tokens of a warpgroup, whose panels begin at `first_slot`; result(i) is element i of 64 that a
/// thread has of them.
template <class Result>
KERN_DEVICE void store_warpgroup_rows(const PanelList& list, int tokens, const WarpgroupPlace& at, int first_slot,
                                      Result&& result) {
  const ResultRows rows(list, first_slot + static_cast<int>(at.warp & ~1u),
                        static_cast<int>(at.warp % 2 * 8 + at.lane / 4));
  KERN_UNROLL
  for (int i = 0; i < 32; ++i) {
    const int token = at.first_token + i / 2 * 8 + static_cast<int>(at.lane) % 4 * 2 + i % 2;
    if (token < tokens) rows.store(token, result(i / 2 * 4 + i % 2), result(i / 2 * 4 + i % 2 + 2));
  }
}

/// Blocks that cover a product, and how many times 64 rows each has.
struct WarpgroupGrid {
  unsigned row_tiles;
  Grid grid;

  /// With the least time: `times` [1, 2, ..] are those of blocks of one, two, four .. times 64 rows, in any unit.
  /// Or with `wanted` times 64 rows, if not 0.
  static WarpgroupGrid make(const DeviceInfo& device, int slots, int tokens, std::initializer_list<double> times,
                            unsigned wanted) {
    const auto covering = [](unsigned things, unsigned size) { return (things + size - 1) / size; };
    const unsigned columns = covering(static_cast<unsigned>(tokens), warpgroup_tokens);
    const unsigned all = covering(static_cast<unsigned>(slots), warpgroup_panels);
    WarpgroupGrid best{};
    double least = 0;
    unsigned row_tiles = 1;
    for (const double time : times) {
      const Grid grid{columns, covering(all, row_tiles)};
      const double total = time * covering(grid.x * grid.y, static_cast<unsigned>(device.multiprocessors));
      if (wanted ? row_tiles == wanted : least == 0 || total <= least) {
        least = total;
        best = {row_tiles, grid};
      }
      row_tiles *= 2;
    }
    return best;
  }
};

} // namespace kern::cuda
