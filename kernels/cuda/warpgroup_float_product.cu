// F16 and BF16 weights times many tokens with sm_90a's warpgroup products: the arithmetic of float_tile_product.cu, its
// error too.
//
// Activations are rounded once, by a kernel of its own, into operands as they will lie in shared memory: a block would
// read twice as much for itself, and each again. Then blocks of two warpgroups have tiles of 256 rows by 128 tokens; or
// of 128, or of one warpgroup and 64, where that leaves fewer multiprocessors idle. 64 columns are four products of
// 64 x 128 x 16 that one set of sums adds up; it is multiplied by what its columns were divided by and added to the
// results while the tensor cores make another: the other warpgroup's, or in smaller tiles a second set of its own.
//
// On an H200 64 columns of the large tile are 1024 clocks for the tensor cores, 800 for the schedulers, and 1150 for
// shared memory, which gives operands of 96 KB and takes copies of 49 KB at 128 bytes a clock. Those come from the
// second-level cache, which has 30 to 40 bytes a clock for a multiprocessor: that is what bounds it, to 60% of the peak
// or more. (Tiles of 128 rows read 66 KB for as many products: less than half of the peak, as copies go.)
#include <algorithm>

#include "kernels/cuda/warpgroup_floats.h"

namespace kern::cuda {

namespace {

struct RoundFloats {
  const float* x; // [tokens][columns]
  int columns;
  int tokens;
  unsigned stages;
  unsigned char* out; // [tiles of tokens][stages][stage_token_bytes]
};

/// A block 16 tokens of a stage, 16 threads each.
template <class Traits> __global__ void __launch_bounds__(256) round_floats(RoundFloats call) {
  using Block = typename Traits::Block;
  wait_for_inputs();
  const auto thread = static_cast<unsigned>(thread_index());
  const auto stage = static_cast<unsigned>(block_x());
  const unsigned token = static_cast<unsigned>(block_y()) * 16 + thread / 16;
  const unsigned column = thread % 16 * 4;
  float values[4] = {};
  if (token < static_cast<unsigned>(call.tokens))
    load_columns(call.x + static_cast<std::size_t>(token) * static_cast<std::size_t>(call.columns),
                 static_cast<int>(stage * stage_columns_16 + column), call.columns, values);
  unsigned top = largest_bits(values, least_top_bits);
  KERN_UNROLL
  for (int mask = 1; mask < 16; mask *= 2) {
    const unsigned other = from_lane_xor(top, mask);
    top = other > top ? other : top;
  }
  const StageScale scale = stage_scale<Block>(top);
  const unsigned place = token % warpgroup_tokens;
  unsigned char* out =
      call.out + (std::size_t{token / warpgroup_tokens} * call.stages + stage) * std::size_t{stage_token_bytes};
  *reinterpret_cast<uint2*>(out + swizzled_place(place, column / 8) + column % 8 * 2) =
      round_four<Block>(values, scale.factor);
  if (column == 0) reinterpret_cast<float*>(out + stage_numbers_bytes)[warpgroup_token_place(place)] = scale.inverse;
}

/// Begins the products of a stage and the operand's 64 rows `row_tile`.
template <class Block>
KERN_DEVICE void multiply_float_stage(unsigned row_tile, const unsigned char* buffer, float (&sums)[64]) {
  const std::uint64_t a = swizzled_operand(shared_address(buffer + FloatStageLayout::weights()) +
                                           row_tile * warpgroup_rows * operand_row_bytes);
  const std::uint64_t b = swizzled_operand(shared_address(buffer));
  begin_warpgroup_products();
  KERN_UNROLL
  for (unsigned step = 0; step < weight_tiles; ++step) {
    const std::uint64_t along_k = operand_offset(step * 32);
    if constexpr (is_half<Block>) warpgroup_multiply_halves(sums, a + along_k, b + along_k, step > 0);
    else warpgroup_multiply_bfloats(sums, a + along_k, b + along_k, step > 0);
  }
  commit_warpgroup_products();
}

/// 64 rows a warpgroup: two stages at a time, each with a set of sums.
template <class Block> KERN_DEVICE void multiply_stage_pairs(const WarpgroupFloatProduct& call) {
  const WarpgroupPlace at;
  const FloatBlock block(call, static_cast<unsigned>(block_threads()) / warpgroup_threads);
  block.fetch(0, 2);
  block.fetch(2, 2);
  float results[64] = {};
  KERN_NO_UNROLL
  for (unsigned stage = 0; stage < call.stages; stage += 2) {
    wait_copies<1>(); // those of these stages have come
    publish_shared();
    block_barrier(); // and all are done with the two before
    const unsigned char* first = block.buffer(stage);
    const unsigned char* second = block.buffer(stage + 1);
    float sums[2][64];
    multiply_float_stage<Block>(at.warpgroup, first, sums[0]);
    multiply_float_stage<Block>(at.warpgroup, second, sums[1]);
    block.fetch(stage + 4, 2);
    wait_warpgroup_products<1>(sums[0]);
    add_float_stage(at, first, sums[0], results);
    wait_warpgroup_products<0>(sums[1]);
    add_float_stage(at, second, sums[1], results);
  }
  wait_copies<0>();
  block.store(at, at.warpgroup, results);
}

/// 128 rows a warpgroup, of two: one set of sums, for 64 of them after the other. While one warpgroup scales, the other
/// multiplies.
template <class Block> KERN_DEVICE void multiply_large_tile(const WarpgroupFloatProduct& call) {
  const WarpgroupPlace at;
  const FloatBlock block(call, 4);
  const unsigned row_tile = at.warpgroup * 2;
  for (unsigned stage = 0; stage < large_stages_kept - 1; ++stage) block.fetch(stage, 1);
  float results[2][64] = {};
  KERN_NO_UNROLL
  for (unsigned stage = 0; stage < call.stages; ++stage) {
    wait_copies<large_stages_kept - 2>(); // those of this stage have come
    publish_shared();
    block_barrier(); // and all are done with the one before
    const unsigned char* buffer = block.buffer(stage);
    float sums[64];
    multiply_float_stage<Block>(row_tile, buffer, sums);
    block.fetch(stage + large_stages_kept - 1, 1);
    wait_warpgroup_products<0>(sums);
    add_float_stage(at, buffer, sums, results[0]);
    multiply_float_stage<Block>(row_tile + 1, buffer, sums);
    wait_warpgroup_products<0>(sums);
    add_float_stage(at, buffer, sums, results[1]);
  }
  wait_copies<0>();
  block.store(at, row_tile, results[0]);
  block.store(at, row_tile + 1, results[1]);
}

template <class Traits, bool large>
__global__ void __launch_bounds__(2 * warpgroup_threads, 1) warpgroup_float_product(WarpgroupFloatProduct call) {
  wait_for_inputs();
  if constexpr (has_warpgroup_products) {
    if constexpr (large) multiply_large_tile<typename Traits::Block>(call);
    else multiply_stage_pairs<typename Traits::Block>(call);
  }
}

template <class Traits> auto float_product_kernel(bool large) {
  return large ? warpgroup_float_product<Traits, true> : warpgroup_float_product<Traits, false>;
}

unsigned token_tiles(int tokens) { return (static_cast<unsigned>(tokens) + warpgroup_tokens - 1) / warpgroup_tokens; }

} // namespace

std::size_t warpgroup_float_bytes(int tokens, int columns) {
  return std::size_t{token_tiles(tokens)} * count_stages(columns) * stage_token_bytes;
}

void launch_warpgroup_float_product(Device& device, std::span<const ProductPart> parts, const float* x, int tokens,
                                    Epilogue epilogue, std::byte* scratch, unsigned row_tiles) {
  static_assert(float_block_bytes({4}) <= std::size_t{227} << 10 && float_block_bytes({2}) <= std::size_t{227} << 10);
  const int columns = parts[0].weight.columns;
  const bool halves = parts[0].weight.format == Format::f16;
  const unsigned stages = count_stages(columns);
  auto* rounded = reinterpret_cast<unsigned char*>(scratch);
  launch(device, halves ? round_floats<F16> : round_floats<BF16>,
         {stages, token_tiles(tokens) * (warpgroup_tokens / 16)}, 256, 0,
         RoundFloats{x, columns, tokens, stages, rounded});
  const WarpgroupFloatProduct call{PanelList::make(parts, epilogue), rounded, columns, tokens, stages};
  // By what they read; one warpgroup alone also hides less.
  const WarpgroupGrid blocks = WarpgroupGrid::make(device.info(), call.list.slots, tokens, {0.6, 1.0, 1.5}, row_tiles);
  const bool large = blocks.row_tiles > 2;
  launch(device, halves ? float_product_kernel<F16>(large) : float_product_kernel<BF16>(large), blocks.grid,
         std::min(blocks.row_tiles, 2u) * warpgroup_threads, float_block_bytes({blocks.row_tiles}), call);
}

} // namespace kern::cuda
