// Stages of 64 columns of a product of F16 or BF16 weights by warpgroups: how they lie, and how they come to shared
// memory.
#pragma once

#include "kernels/cuda/float_rounding.h"
#include "kernels/cuda/warpgroup_tile.h"

namespace kern::cuda {

inline constexpr unsigned stage_numbers_bytes = warpgroup_tokens * operand_row_bytes; // an operand [tokens][64]
inline constexpr unsigned stage_scales_bytes = warpgroup_tokens * 4;                  // float [tokens], in their order
inline constexpr unsigned stage_token_bytes = stage_numbers_bytes + stage_scales_bytes;
inline constexpr unsigned weight_tile_bytes = panel_rows * float_columns * 2;
inline constexpr unsigned weight_tiles = stage_columns_16 / float_columns; // of a panel's stage
inline constexpr unsigned stages_kept = 6;                                 // of blocks of up to 128 rows
inline constexpr unsigned large_stages_kept = 4;                           // of 256

/// Stages of a product, an even number.
KERN_INLINE constexpr unsigned count_stages(int columns) {
  return (static_cast<unsigned>(columns) + 2 * stage_columns_16 - 1) / (2 * stage_columns_16) * 2;
}

struct WarpgroupFloatProduct {
  PanelList list;
  const unsigned char* x; // as RoundFloats::out
  int columns;
  int tokens;
  unsigned stages;
};

/// A stage in shared memory: tokens as they come, then weights, an operand [rows][64].
struct FloatStageLayout {
  unsigned row_tiles; // of 64

  KERN_INLINE static constexpr unsigned scales() { return stage_numbers_bytes; }
  KERN_INLINE static constexpr unsigned weights() {
    return (stage_token_bytes + operand_alignment - 1) / operand_alignment * operand_alignment;
  }
  KERN_INLINE constexpr unsigned panels() const { return row_tiles * warpgroup_panels; }
  KERN_INLINE constexpr unsigned bytes() const { return weights() + row_tiles * warpgroup_rows * operand_row_bytes; }
  KERN_INLINE constexpr unsigned kept() const { return row_tiles > 2 ? large_stages_kept : stages_kept; }
};

struct WarpgroupFloatPanels {
  const std::byte* begin[4 * warpgroup_panels];
};

inline constexpr std::size_t float_block_bytes(FloatStageLayout layout) {
  return std::size_t{layout.kept()} * layout.bytes() + sizeof(WarpgroupFloatPanels);
}

/// Brings stages: their tokens as they lie, and weights, a warp one panel or two. Weights that there are none of are
/// zeros.
struct FloatStageFetch {
  const WarpgroupFloatProduct& call;
  const WarpgroupFloatPanels& panels;
  FloatStageLayout layout;
  unsigned tiles; // of the weights' columns

  /// A warpgroup brings its share of the numbers, the first warp the scales.
  KERN_DEVICE void fetch_tokens(unsigned stage, unsigned char* buffer) const {
    constexpr unsigned run = warpgroup_threads * 16; // bytes that its threads bring together
    constexpr unsigned share = stage_numbers_bytes / 2;
    const auto thread = static_cast<unsigned>(thread_index());
    const unsigned char* from =
        call.x + (static_cast<std::size_t>(block_x()) * call.stages + stage) * std::size_t{stage_token_bytes};
    unsigned at = thread / warpgroup_threads * share + thread % warpgroup_threads * 16;
    for (unsigned i = layout.row_tiles < 2 ? 0 : 1; i < 2; ++i, at += share) { // one warpgroup takes both shares
      KERN_UNROLL
      for (unsigned done = 0; done < share; done += run) copy_async(buffer + at + done, from + at + done);
    }
    if (thread < stage_scales_bytes / 16)
      copy_async(buffer + stage_numbers_bytes + thread * 16, from + stage_numbers_bytes + thread * 16);
  }
  /// Eight threads take the same half of eight rows, which go to different banks.
  KERN_DEVICE void fetch_panel(unsigned panel, unsigned stage, unsigned char* buffer) const {
    const auto thread = static_cast<unsigned>(thread_index());
    const unsigned row = thread % 8 + thread % 32 / 16 * 8;
    const unsigned half = thread / 8 % 2;
    const std::byte* from =
        panels.begin[panel] + row * 32 + half * 16 + std::size_t{stage} * weight_tiles * weight_tile_bytes;
    unsigned char* to = buffer + FloatStageLayout::weights();
    const unsigned first = swizzled_place(operand_row(panel * panel_rows + row), half);
    if ((stage + 1) * weight_tiles <= tiles) {
      KERN_UNROLL
      for (unsigned tile = 0; tile < weight_tiles; ++tile) // 32 bytes along k
        copy_async(to + (first ^ tile * 32), from + tile * weight_tile_bytes);
      return;
    }
    for (unsigned tile = 0; tile < weight_tiles; ++tile) {
      unsigned char* piece = to + (first ^ tile * 32);
      if (stage * weight_tiles + tile < tiles) copy_async(piece, from + tile * weight_tile_bytes);
      else *reinterpret_cast<uint4*>(piece) = uint4{0, 0, 0, 0};
    }
  }
  /// Stages first .. first + count - 1, where there are so many; copies are known by the call.
  KERN_DEVICE void fetch(unsigned first, unsigned count, unsigned char* buffers) const {
    const unsigned warps = static_cast<unsigned>(block_threads()) / 32;
    if (first < call.stages)
      for (unsigned stage = first; stage < first + count; ++stage) {
        unsigned char* buffer = buffers + stage % layout.kept() * layout.bytes();
        fetch_tokens(stage, buffer);
        for (auto panel = static_cast<unsigned>(thread_index()) / 32; panel < layout.panels(); panel += warps)
          fetch_panel(panel, stage, buffer);
      }
    commit_copies();
  }
};

/// What a block's threads know of its tile. Making it ends with a barrier.
struct FloatBlock {
  const WarpgroupFloatProduct& call;
  FloatStageLayout layout;
  unsigned char* buffers;
  WarpgroupFloatPanels& panels;
  unsigned tiles; // of the weights' columns
  int first_slot;

  KERN_DEVICE FloatBlock(const WarpgroupFloatProduct& product, unsigned row_tiles)
      : call(product), layout{row_tiles}, buffers(&shared_memory<unsigned char>()),
        panels(*reinterpret_cast<WarpgroupFloatPanels*>(buffers + layout.kept() * layout.bytes())),
        tiles(static_cast<unsigned>(product.columns + float_columns - 1) / float_columns),
        first_slot(block_y() * static_cast<int>(layout.panels())) {
    const auto thread = static_cast<unsigned>(thread_index());
    if (thread < layout.panels()) {
      const PanelPlace place = call.list.place_within(first_slot + thread_index());
      panels.begin[thread] =
          call.list.parts[place.part].weights + static_cast<std::size_t>(place.panel) * tiles * weight_tile_bytes;
    }
    block_barrier();
  }
  KERN_DEVICE const unsigned char* buffer(unsigned stage) const {
    return buffers + stage % layout.kept() * layout.bytes();
  }
  KERN_DEVICE void fetch(unsigned first, unsigned count) const {
    FloatStageFetch{call, panels, layout, tiles}.fetch(first, count, buffers);
  }
  KERN_DEVICE void store(const WarpgroupPlace& at, unsigned row_tile, const float (&results)[64]) const {
    store_warpgroup_rows(call.list, call.tokens, at, first_slot + static_cast<int>(row_tile * warpgroup_panels),
                         [&](int i) { return results[i]; });
  }
};

/// results += a stage's sums, each times its token's scale.
KERN_DEVICE void add_float_stage(const WarpgroupPlace& at, const unsigned char* buffer, const float (&sums)[64],
                                 float (&results)[64]) {
  const auto* scales = reinterpret_cast<const float*>(buffer + FloatStageLayout::scales()) + at.lane % 4 * 4;
  KERN_UNROLL
  for (int eights = 0; eights < 8; ++eights) {
    const float4 four = *reinterpret_cast<const float4*>(scales + eights * 16);
    const float scale[4] = {four.x, four.y, four.z, four.w};
    KERN_UNROLL
    for (int i = eights * 8; i < eights * 8 + 8; ++i)
      results[i] = fused(sums[i], scale[i % 8 / 4 * 2 + i % 2], results[i]);
  }
}

} // namespace kern::cuda
