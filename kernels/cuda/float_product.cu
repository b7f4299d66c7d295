// Float weights times one token: as with quantized ones, reading the weights is all there is to it.
//
// The canonical arithmetic adds along k in 16 lanes, so k can't be shared out: a row is four threads of four lanes
// each, a panel two warps that read 512 (F32: 1024) bytes in a row. 4096 rows are two panels for each multiprocessor of
// an H200, which has to keep 32 KB on their way to read at its full speed; so every thread keeps its next 128 bytes
// (F32: 256) on their way in registers, 8 or 16 KB a panel.
#include "kernels/cuda/device.h"
#include "kernels/cuda/product_parts.h"
#include "kernels/cuda/rounding.h"

namespace kern::cuda {

namespace {

constexpr int threads_of_row = 4;
constexpr int lanes_of_thread = float_columns / threads_of_row;
constexpr int threads_of_panel = panel_rows * threads_of_row;
constexpr int most_float_panels = 4; // of a block
constexpr int tiles_ahead = 32;      // of 16 columns, whose weights are on their way
constexpr int staged_columns = 4096; // of x, at a time
static_assert(staged_columns % (tiles_ahead * float_columns) == 0);

struct FloatProduct {
  PanelList list;
  VectorInput input;
};

/// Behind it the token's whole row, [columns], where it is normed.
struct FloatShared {
  float x[staged_columns];
  float results[most_float_panels][panel_rows];
  float scale; // of the norm
};

/// The token's activations before they are staged.
struct FloatRow {
  const float* x;      // [columns]
  const float* weight; // of the norm, or null
  float scale;
  int columns;

  KERN_DEVICE float at(int column) const { return weight ? x[column] * scale * weight[column] : x[column]; }
};

/// Four neighbours of a row as they lie.
template <class Block> struct FourWeights {
  uint2 bits;
  KERN_DEVICE void load(const std::byte* from) { bits = load_once(reinterpret_cast<const uint2*>(from)); }
  KERN_DEVICE float weight(int index) const {
    const std::uint32_t word = index < 2 ? bits.x : bits.y;
    return to_float(Block{static_cast<std::uint16_t>(word >> (16 * (index % 2)))});
  }
};
template <> struct FourWeights<float> {
  uint4 bits;
  KERN_DEVICE void load(const std::byte* from) { bits = load_once(reinterpret_cast<const uint4*>(from)); }
  KERN_DEVICE float weight(int index) const {
    return bits_float(index == 0 ? bits.x : index == 1 ? bits.y : index == 2 ? bits.z : bits.w);
  }
};

/// Columns from `begin` on; what lies behind the last is a zero that leaves every sum as it is, also -0.
KERN_DEVICE void stage_columns(const FloatRow& row, int begin, FloatShared& shared) {
  block_barrier();
  for (int i = thread_index(); i < staged_columns && begin + i < row.columns + float_columns; i += block_threads())
    shared.x[i] = begin + i < row.columns ? row.at(begin + i) : -0.0f;
  block_barrier();
}

/// Norms the token's row, where that is wanted; the first block leaves it for who wants to see it.
KERN_DEVICE FloatRow prepare_row(const VectorInput& input, int token, FloatShared& shared) {
  const std::int64_t first = static_cast<std::int64_t>(token) * input.columns;
  FloatRow row{input.x + first, input.norm, 1.0f, input.columns};
  if (!input.norm) return row;
  auto* whole = reinterpret_cast<float*>(&shared + 1);
  stage_row(row.x, input.columns, whole);
  row.x = whole;
  row.scale = norm_scale(whole, input.columns, input.epsilon, &shared.scale);
  if (input.normed && block_x() == 0)
    for (int i = thread_index(); i < input.columns; i += block_threads()) input.normed[first + i] = row.at(i);
  return row;
}

/// The sum of a row's 16 lanes in each of its four threads.
KERN_DEVICE float row_of_lanes(float (&lane)[lanes_of_thread]) {
  KERN_UNROLL
  for (int i = 0; i < lanes_of_thread; ++i) {
    lane[i] += from_lane_xor(lane[i], 2); // lanes 8 apart
    lane[i] += from_lane_xor(lane[i], 1); // 4 apart
  }
  return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

/// A row of `panel` with x; every thread of the block takes part.
template <class Block>
KERN_DEVICE float float_row(const FloatProduct& call, const std::byte* panel, int token, FloatShared& shared) {
  constexpr int tile_bytes = panel_rows * float_columns * static_cast<int>(sizeof(Block));
  constexpr int ahead = sizeof(Block) == 4 ? tiles_ahead / 2 : tiles_ahead;
  const int tiles = (call.input.columns + float_columns - 1) / float_columns;
  const std::byte* from = panel + thread_index() % threads_of_panel * lanes_of_thread * static_cast<int>(sizeof(Block));
  FourWeights<Block> weights[ahead];
  KERN_UNROLL
  for (int i = 0; i < ahead; ++i)
    if (i < tiles) weights[i].load(from + static_cast<std::size_t>(i) * tile_bytes);
  from += static_cast<std::size_t>(ahead) * tile_bytes;
  wait_for_inputs(); // weights are none
  const FloatRow row = prepare_row(call.input, token, shared);
  float lane[lanes_of_thread] = {};
  for (int first = 0; first < tiles; first += ahead, from += static_cast<std::size_t>(ahead) * tile_bytes) {
    if (first * float_columns % staged_columns == 0) stage_columns(row, first * float_columns, shared);
    const float* values =
        shared.x + first * float_columns % staged_columns + thread_index() % threads_of_row * lanes_of_thread;
    KERN_UNROLL
    for (int i = 0; i < ahead; ++i) {
      if (first + i >= tiles) break;
      const float4 four = *reinterpret_cast<const float4*>(values + i * float_columns);
      lane[0] = fused(weights[i].weight(0), four.x, lane[0]);
      lane[1] = fused(weights[i].weight(1), four.y, lane[1]);
      lane[2] = fused(weights[i].weight(2), four.z, lane[2]);
      lane[3] = fused(weights[i].weight(3), four.w, lane[3]);
      if (first + i + ahead < tiles) weights[i].load(from + static_cast<std::size_t>(i) * tile_bytes);
    }
  }
  return row_of_lanes(lane);
}

template <class Traits>
__global__ void __launch_bounds__(most_float_panels* threads_of_panel) float_product(FloatProduct call) {
  using Block = typename Traits::Block;
  auto& shared = shared_memory<FloatShared>();
  const int token = block_y();
  const int own = thread_index() / threads_of_panel; // panel of the block
  const int slot = block_x() * (block_threads() / threads_of_panel) + own;
  const PanelPlace at = call.list.place_within(slot);
  const int tiles = (call.input.columns + float_columns - 1) / float_columns;
  const std::size_t panel_size = static_cast<std::size_t>(tiles) * panel_rows * float_columns * sizeof(Block);
  const float result = float_row<Block>(
      call, call.list.parts[at.part].weights + static_cast<std::size_t>(at.panel) * panel_size, token, shared);
  const int row = thread_index() % threads_of_panel / threads_of_row;
  const bool first = thread_index() % threads_of_row == 0;
  if (call.list.epilogue != Epilogue::activate) {
    if (first) store_result(call.list, slot, row, token, result);
    return;
  }
  if (first) shared.results[own][row] = result;
  block_barrier();
  if (first && own % 2 == 0)
    store_activated(call.list, slot, row, token, shared.results[own][row], shared.results[own + 1][row]);
}

} // namespace

void launch_float_product(Device& device, std::span<const ProductPart> parts, const VectorInput& input, int tokens,
                          Epilogue epilogue) {
  const FloatProduct call{PanelList::make(parts, epilogue), input};
  const std::size_t row = input.norm ? static_cast<std::size_t>(input.columns) * sizeof(float) : 0;
  // Panels of a block share x; but first every multiprocessor gets two blocks.
  const int wanted = call.list.slots * tokens / (2 * device.info().multiprocessors);
  int panels = epilogue == Epilogue::activate ? 2 : 1;
  while (panels < most_float_panels && panels * 2 <= wanted) panels *= 2;
  const Grid grid{static_cast<unsigned>((call.list.slots + panels - 1) / panels), static_cast<unsigned>(tokens)};
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (Traits::is_float)
      launch(device, float_product<Traits>, grid, static_cast<unsigned>(panels * threads_of_panel),
             sizeof(FloatShared) + row, call);
  });
}

} // namespace kern::cuda
