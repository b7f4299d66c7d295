// Float weights times many tokens in the canonical arithmetic: what tensor cores can't do.
//
// A block multiplies 32 rows by 32 tokens, a thread two of the 16 lanes of 4 rows by 8 tokens: 64 sums. For each 16
// columns it reads 12 pairs of floats from shared memory, most of them together with its neighbours, for its 64 fused
// operations.
#include "kernels/cuda/device.h"
#include "kernels/cuda/product_parts.h"

namespace kern::cuda {

namespace {

constexpr unsigned lane_threads = 256;
constexpr unsigned lane_panels = 2;    // of a block
constexpr unsigned lane_tokens = 32;   // of a block
constexpr unsigned lane_run_tiles = 4; // of 16 columns, that are multiplied between barriers
constexpr unsigned lane_run_columns = lane_run_tiles * float_columns;
constexpr unsigned thread_rows = 4;
constexpr unsigned thread_tokens = 8;

struct LaneTileProduct {
  PanelList list;
  const float* x; // [tokens][columns]
  int columns;
  int tokens;
};

template <class Block> struct LaneShared {
  const std::byte* panels[lane_panels];
  struct Buffer {
    Block weights[lane_panels][lane_run_tiles][panel_rows][float_columns];
    float x[lane_tokens][lane_run_columns];
  };
  alignas(16) Buffer buffers[2];
};

/// Weights of a run, as far as there are tiles, and activations; behind the last column zeros that leave every sum as
/// it is, also -0.
template <class Block>
KERN_DEVICE void fetch_lanes(const LaneTileProduct& call, const LaneShared<Block>& shared, unsigned run, unsigned tiles,
                             typename LaneShared<Block>::Buffer& buffer) {
  constexpr unsigned tile_bytes = panel_rows * float_columns * sizeof(Block);
  constexpr unsigned pieces = lane_run_tiles * tile_bytes / 16; // of a panel
  const auto thread = static_cast<unsigned>(thread_index());
  const unsigned left = tiles - run * lane_run_tiles;
  for (unsigned i = thread; i < lane_panels * pieces; i += lane_threads)
    if (i % pieces / (tile_bytes / 16) < left)
      copy_async(reinterpret_cast<unsigned char*>(buffer.weights) + i * 16,
                 shared.panels[i / pieces] + static_cast<std::size_t>(run) * lane_run_tiles * tile_bytes +
                     i % pieces * 16);
  for (unsigned i = thread; i < lane_tokens * lane_run_columns; i += lane_threads) {
    const int wanted = block_x() * static_cast<int>(lane_tokens) + static_cast<int>(i / lane_run_columns);
    const int token = wanted < call.tokens ? wanted : call.tokens - 1;
    const auto column = static_cast<int>(run * lane_run_columns + i % lane_run_columns);
    float& to = buffer.x[i / lane_run_columns][i % lane_run_columns];
    if (column < call.columns) copy_word_async(&to, call.x + static_cast<std::int64_t>(token) * call.columns + column);
    else to = -0.0f;
  }
  commit_copies();
}

KERN_DEVICE float2 two_weights(const float* from) { return *reinterpret_cast<const float2*>(from); }
KERN_DEVICE float2 two_weights(const BFloat16* from) {
  const auto pair = *reinterpret_cast<const std::uint32_t*>(from);
  return {bits_float(pair << 16), bits_float(pair & 0xFFFF0000u)};
}

KERN_DEVICE float2 two_weights(const Half* from) {
  const auto pair = *reinterpret_cast<const std::uint32_t*>(from);
  return {to_float(Half{static_cast<std::uint16_t>(pair)}), to_float(Half{static_cast<std::uint16_t>(pair >> 16)})};
}

/// Where a thread works: lanes 2 * pair and 2 * pair + 1, rows `row` + 4 i of a panel, tokens from `token` on.
struct LanePlace {
  unsigned pair, row, panel, token;
  KERN_DEVICE LanePlace() {
    const auto thread = static_cast<unsigned>(thread_index());
    pair = thread % 8;
    row = thread / 8 % 4;
    panel = thread / 32 % lane_panels;
    token = thread / (32 * lane_panels) * thread_tokens;
  }
};

using LaneSums = float[thread_rows][thread_tokens][2];

template <class Block>
KERN_DEVICE void multiply_lanes(const LanePlace& at, const typename LaneShared<Block>::Buffer& buffer, unsigned tiles,
                                LaneSums& sums) {
  for (unsigned tile = 0; tile < lane_run_tiles && tile < tiles; ++tile) {
    float2 weights[thread_rows];
    KERN_UNROLL
    for (unsigned r = 0; r < thread_rows; ++r)
      weights[r] = two_weights(&buffer.weights[at.panel][tile][at.row + r * 4][at.pair * 2]);
    KERN_UNROLL
    for (unsigned t = 0; t < thread_tokens; ++t) {
      const auto x = *reinterpret_cast<const float2*>(&buffer.x[at.token + t][tile * float_columns + at.pair * 2]);
      KERN_UNROLL
      for (unsigned r = 0; r < thread_rows; ++r) {
        sums[r][t][0] = fused(weights[r].x, x.x, sums[r][t][0]);
        sums[r][t][1] = fused(weights[r].y, x.y, sums[r][t][1]);
      }
    }
  }
}

/// The tree over 16 lanes, in each of the eight threads that have them.
KERN_DEVICE float tree_of_pairs(float (&lanes)[2]) {
  KERN_UNROLL
  for (int mask = 4; mask >= 1; mask /= 2) { // lanes 8, 4 and 2 apart
    lanes[0] += from_lane_xor(lanes[0], mask);
    lanes[1] += from_lane_xor(lanes[1], mask);
  }
  return lanes[0] + lanes[1];
}

/// Each of eight threads that share their results stores a token's.
KERN_DEVICE void store_lanes(const LaneTileProduct& call, const LanePlace& at, const float (&results)[2][thread_rows],
                             int slot) {
  const int token = block_x() * static_cast<int>(lane_tokens) + static_cast<int>(at.token + at.pair);
  if (token >= call.tokens) return;
  KERN_UNROLL
  for (int r = 0; r < static_cast<int>(thread_rows); ++r) {
    const int row = static_cast<int>(at.row) + r * 4;
    if (call.list.epilogue == Epilogue::activate)
      store_activated(call.list, slot, row, token, results[0][r], results[1][r]);
    else store_result(call.list, slot + static_cast<int>(at.panel), row, token, results[0][r]);
  }
}

template <class Traits> __global__ void __launch_bounds__(lane_threads) lane_tile_product(LaneTileProduct call) {
  wait_for_inputs();
  using Block = typename Traits::Block;
  auto& shared = shared_memory<LaneShared<Block>>();
  const LanePlace at;
  const int first_slot = block_y() * static_cast<int>(lane_panels);
  const auto tiles = static_cast<unsigned>(call.columns + float_columns - 1) / float_columns;
  const unsigned runs = (tiles + lane_run_tiles - 1) / lane_run_tiles;
  if (thread_index() < static_cast<int>(lane_panels)) {
    const PanelPlace place = call.list.place_within(first_slot + thread_index());
    shared.panels[thread_index()] = call.list.parts[place.part].weights + static_cast<std::size_t>(place.panel) *
                                                                              tiles * panel_rows * float_columns *
                                                                              sizeof(Block);
  }
  block_barrier();
  fetch_lanes(call, shared, 0, tiles, shared.buffers[0]);
  LaneSums sums = {};
  for (unsigned run = 0; run < runs; ++run) {
    wait_copies<0>();
    block_barrier(); // this run has come, and nobody reads the last one any more
    if (run + 1 < runs) fetch_lanes(call, shared, run + 1, tiles, shared.buffers[(run + 1) & 1]);
    multiply_lanes<Block>(at, shared.buffers[run & 1], tiles - run * lane_run_tiles, sums);
  }

  // A thread keeps the token that it will store.
  float results[2][thread_rows];
  KERN_UNROLL
  for (unsigned r = 0; r < thread_rows; ++r) KERN_UNROLL
  for (unsigned t = 0; t < thread_tokens; ++t) {
    const float result = tree_of_pairs(sums[r][t]);
    if (t == at.pair) results[0][r] = result;
  }
  if (call.list.epilogue == Epilogue::activate) { // up's panel, which another warp has, comes to gate's
    auto& up = *reinterpret_cast<float(*)[lane_threads][thread_rows]>(&shared.buffers[0]);
    block_barrier();
    KERN_UNROLL
    for (unsigned r = 0; r < thread_rows; ++r) up[thread_index()][r] = results[0][r];
    block_barrier();
    if (at.panel != 0) return;
    KERN_UNROLL
    for (unsigned r = 0; r < thread_rows; ++r) results[1][r] = up[thread_index() + 32][r];
  }
  store_lanes(call, at, results, first_slot);
}

} // namespace

void launch_lane_tile_product(Device& device, std::span<const ProductPart> parts, const float* x, int tokens,
                              Epilogue epilogue) {
  const LaneTileProduct call{PanelList::make(parts, epilogue), x, parts[0].weight.columns, tokens};
  const Grid grid{(static_cast<unsigned>(tokens) + lane_tokens - 1) / lane_tokens,
                  (static_cast<unsigned>(call.list.slots) + lane_panels - 1) / lane_panels};
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (Traits::is_float)
      launch(device, lane_tile_product<Traits>, grid, lane_threads, sizeof(LaneShared<typename Traits::Block>), call);
  });
}

} // namespace kern::cuda
