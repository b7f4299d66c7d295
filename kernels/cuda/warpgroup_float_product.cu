// F16 and BF16 weights times many tokens with sm_90a's warpgroup products: the arithmetic of float_tile_product.cu, its
// error too.
//
// Activations are rounded once, by a kernel of its own, into operands as they will lie in shared memory: a block would
// read twice as much for itself, and each again. Then blocks of one or two warpgroups have tiles of 64 rows a warpgroup
// by 128 tokens. A warpgroup multiplies two stages of 64 columns at a time, each in four products of 64 x 128 x 16 that
// one set of sums adds up; while one set is multiplied by what its 64 columns were divided by and added to the results,
// the other is being made. Two rounds of this are on their way from device memory meanwhile.
//
// On an H200 two stages of a block of two warpgroups are 1024 clocks for the tensor cores, 900 for the schedulers, and
// 1300 for shared memory, which gives operands of 96 KB and takes copies of 66 KB at 128 bytes a clock. Those come from
// the second-level cache, which has 30 to 40 bytes a clock for a multiprocessor: that is what bounds it, to about half
// of the peak.
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

/// Begins the products of a stage.
template <class Block>
KERN_DEVICE void multiply_float_stage(const WarpgroupPlace& at, const unsigned char* buffer, float (&sums)[64]) {
  const unsigned char* rows = buffer + FloatStageLayout::weights() + at.warpgroup * warpgroup_rows * operand_row_bytes;
  const std::uint64_t a = swizzled_operand(shared_address(rows));
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

template <class Traits> KERN_DEVICE void multiply_warpgroup_floats(const WarpgroupFloatProduct& call) {
  using Block = typename Traits::Block;
  const WarpgroupPlace at;
  const FloatStageLayout layout{static_cast<unsigned>(block_threads()) / warpgroup_threads};
  unsigned char* buffers = &shared_memory<unsigned char>();
  auto& panels = *reinterpret_cast<WarpgroupFloatPanels*>(buffers + rounds_kept * stages_of_round * layout.bytes());
  const auto tiles = static_cast<unsigned>(call.columns + float_columns - 1) / float_columns;
  const unsigned rounds = call.stages / stages_of_round;
  const auto thread = static_cast<unsigned>(thread_index());
  if (thread < layout.panels()) {
    const PanelPlace place = call.list.place_within(at.first_slot + thread_index());
    panels.begin[thread] =
        call.list.parts[place.part].weights + static_cast<std::size_t>(place.panel) * tiles * weight_tile_bytes;
  }
  block_barrier();
  const FloatStageFetch copies{call, panels, layout, tiles};
  copies.fetch_round(0, rounds, buffers);
  copies.fetch_round(1, rounds, buffers);

  float results[64] = {};
  KERN_NO_UNROLL
  for (unsigned round = 0; round < rounds; ++round) {
    wait_copies<1>(); // those of this round have come
    publish_shared();
    block_barrier(); // and the round before is done with
    const unsigned char* first = buffers + round % rounds_kept * stages_of_round * layout.bytes();
    const unsigned char* second = first + layout.bytes();
    float sums[stages_of_round][64];
    multiply_float_stage<Block>(at, first, sums[0]);
    multiply_float_stage<Block>(at, second, sums[1]);
    copies.fetch_round(round + 2, rounds, buffers);
    wait_warpgroup_products<1>(sums[0]);
    add_float_stage(at, first, sums[0], results);
    wait_warpgroup_products<0>(sums[1]);
    add_float_stage(at, second, sums[1], results);
  }
  wait_copies<0>();
  store_warpgroup_tile(call.list, call.tokens, at, [&](int i) { return results[i]; });
}

template <class Traits>
__global__ void __launch_bounds__(2 * warpgroup_threads, 1) warpgroup_float_product(WarpgroupFloatProduct call) {
  wait_for_inputs();
  if constexpr (has_warpgroup_products) multiply_warpgroup_floats<Traits>(call);
}

unsigned token_tiles(int tokens) { return (static_cast<unsigned>(tokens) + warpgroup_tokens - 1) / warpgroup_tokens; }

} // namespace

std::size_t warpgroup_float_bytes(int tokens, int columns) {
  return std::size_t{token_tiles(tokens)} * count_stages(columns) * stage_token_bytes;
}

void launch_warpgroup_float_product(Device& device, std::span<const ProductPart> parts, const float* x, int tokens,
                                    Epilogue epilogue, std::byte* scratch) {
  static_assert(float_stage_bytes(2) <= std::size_t{227} << 10);
  const int columns = parts[0].weight.columns;
  const bool halves = parts[0].weight.format == Format::f16;
  const unsigned stages = count_stages(columns);
  auto* rounded = reinterpret_cast<unsigned char*>(scratch);
  launch(device, halves ? round_floats<F16> : round_floats<BF16>,
         {stages, token_tiles(tokens) * (warpgroup_tokens / 16)}, 256, 0,
         RoundFloats{x, columns, tokens, stages, rounded});
  const WarpgroupFloatProduct call{PanelList::make(parts, epilogue), rounded, columns, tokens, stages};
  const WarpgroupGrid blocks = WarpgroupGrid::make(device.info(), call.list.slots, tokens);
  launch(device, halves ? warpgroup_float_product<F16> : warpgroup_float_product<BF16>, blocks.grid, blocks.threads(),
         float_stage_bytes(blocks.warpgroups), call);
}

} // namespace kern::cuda
