// Quantized weights times one token: reading the weights is all there is to it, so a row is read once, in whole lines.
//
// A block norms and rounds the activations for itself (a launch of its own would take longer), then takes panels of 16
// rows in turn; each of its warps two units of 256 columns at a time, a lane one row's unit. What a rounding of
// activations contributes to a row goes through shared memory to the thread that adds a row's contributions in the
// order of columns, which is what keeps the canonical bits. The next units are on their way meanwhile: with two blocks
// a multiprocessor some 70 KB of Q4_K, where an H200 needs about 32.
#include "kernels/cuda/codecs.h"
#include "kernels/cuda/product_parts.h"
#include "kernels/cuda/rounding.h"

#include <algorithm>

namespace kern::cuda {

namespace {

constexpr int product_warps = 8;
constexpr int product_threads = product_warps * 32;
constexpr int slab_units = product_warps * 2; // a pass of the block
constexpr int blocks_of_multiprocessor = 2;

struct VectorProduct {
  PanelList list;
  VectorInput input;
  int units;
};

/// Shared memory of a block, sizes from the shape.
struct VectorShared {
  std::uint32_t* codes; // [units * 64]
  float* scales;        // [units * roundings]
  float* results;       // [16]: sums so far
  float* gates;         // [16]: the gate's, while up is computed
  std::int16_t* sums;   // [units * 16]
  float* parts;         // [2][slab_units * roundings][16]: contributions, a slab's and the next one's
  float* row;           // [columns]: the same memory, before

  static std::size_t bytes(const VectorInput& input, int units, int roundings) {
    const std::size_t parts = static_cast<std::size_t>(2 * slab_units * roundings * panel_rows);
    const std::size_t row = input.norm ? static_cast<std::size_t>(input.columns) : 0;
    return static_cast<std::size_t>(units) * (unit_columns + static_cast<std::size_t>(roundings) * 4 + 32) +
           (2 * panel_rows + std::max(parts, row)) * sizeof(float);
  }
  KERN_DEVICE VectorShared(unsigned char* memory, int units, int roundings) {
    codes = reinterpret_cast<std::uint32_t*>(memory);
    scales = reinterpret_cast<float*>(codes + units * (unit_columns / 4));
    results = scales + units * roundings;
    gates = results + panel_rows;
    sums = reinterpret_cast<std::int16_t*>(gates + panel_rows);
    parts = row = reinterpret_cast<float*>(sums + units * 16);
  }
};

/// One slab of one panel, and the one after it.
struct SlabWalk {
  const PanelList& list;
  int slabs; // of a panel
  int slot;
  int slab = 0;

  KERN_DEVICE bool valid() const { return slot < list.slots; }
  KERN_DEVICE bool last_of_panel() const { return slab + 1 == slabs; }
  /// Panels of a block: its share of single ones, or of pairs of gate and up.
  KERN_DEVICE void advance() {
    if (++slab < slabs) return;
    slab = 0;
    const bool pairs = list.epilogue == Epilogue::activate;
    slot += pairs ? (slot % 2 == 0 ? 1 : 2 * grid_x() - 1) : grid_x();
  }
};

/// Norm and rounding of the token's activations; ends with a barrier.
template <class Traits>
KERN_DEVICE void prepare_activations(const VectorProduct& call, int token, const VectorShared& shared) {
  constexpr int roundings = Unit<Traits>::roundings;
  const VectorInput& input = call.input;
  ActivationRow row{input.x + static_cast<std::int64_t>(token) * input.columns, input.norm, 1.0f, input.columns,
                    nullptr};
  if (input.norm) {
    stage_row(row.x, input.columns, shared.row);
    row.x = shared.row;
    row.scale = norm_scale(shared.row, input.columns, input.epsilon, shared.results);
    if (input.normed && block_x() == 0) row.normed = input.normed + static_cast<std::int64_t>(token) * input.columns;
  }
  for (int unit = thread_index() / 32; unit < call.units; unit += product_warps) {
    float values[8];
    row.load(unit, values);
    round_unit(values, Unit<Traits>::rounding,
               RoundedUnit{shared.codes + unit * (unit_columns / 4), shared.scales + unit * roundings,
                           shared.sums + unit * 16});
  }
  block_barrier();
}

/// This thread's unit of a slab, where there is one.
template <class Traits>
KERN_DEVICE void load_unit(const VectorProduct& call, const SlabWalk& at, UnitCodec<Traits>& codec) {
  const int unit = at.slab * slab_units + thread_index() / panel_rows;
  if (!at.valid() || unit >= call.units) return;
  const PanelPlace place = at.list.place(at.slot);
  const std::size_t index =
      static_cast<std::size_t>(place.panel) * static_cast<std::size_t>(call.units) + static_cast<std::size_t>(unit);
  codec.words.template load<UnitHome::device>(at.list.parts[place.part].weights + index * Unit<Traits>::panel_bytes,
                                              thread_index() % panel_rows);
}

/// Adds a slab's contributions to a row, in order, and hands the panel's result on.
template <class Traits>
KERN_DEVICE void add_slab(const VectorProduct& call, const SlabWalk& at, int token, const float* parts,
                          const VectorShared& shared) {
  constexpr int roundings = Unit<Traits>::roundings;
  const int row = thread_index() % 32;
  if (row >= panel_rows) return;
  const int first = at.slab * slab_units;
  const int count = (call.units - first < slab_units ? call.units - first : slab_units) * roundings;
  float result = at.slab == 0 ? 0.0f : shared.results[row];
  for (int i = 0; i < count; ++i)
    result = fused(parts[i * panel_rows + row], shared.scales[first * roundings + i], result);
  if (!at.last_of_panel()) shared.results[row] = result;
  else if (at.list.epilogue != Epilogue::activate) store_result(at.list, at.slot, row, token, result);
  else if (at.slot % 2 == 0) shared.gates[row] = result;
  else store_activated(at.list, at.slot - 1, row, token, shared.gates[row], result);
}

template <class Traits> __global__ void __launch_bounds__(product_threads) vector_product(VectorProduct call) {
  constexpr int roundings = Unit<Traits>::roundings;
  const VectorShared shared(&shared_memory<unsigned char>(), call.units, roundings);
  const int token = block_y();
  const bool pairs = call.list.epilogue == Epilogue::activate;
  SlabWalk at{call.list, (call.units + slab_units - 1) / slab_units, pairs ? 2 * block_x() : block_x()};
  UnitCodec<Traits> codec;
  load_unit(call, at, codec);
  wait_for_inputs(); // weights are none
  prepare_activations<Traits>(call, token, shared);
  for (int step = 0; at.valid(); ++step) {
    const int unit = at.slab * slab_units + thread_index() / panel_rows;
    float* parts = shared.parts + step % 2 * slab_units * roundings * panel_rows;
    if (unit < call.units) {
      float* to = parts + thread_index() / panel_rows * roundings * panel_rows + thread_index() % panel_rows;
      KERN_UNROLL
      for (int r = 0; r < roundings; ++r)
        to[r * panel_rows] =
            rounding_product<Traits>(codec, r, shared.codes + unit * (unit_columns / 4), shared.sums + unit * 16);
    }
    const SlabWalk done = at;
    at.advance();
    load_unit(call, at, codec);
    block_barrier();
    // The other warps go on; what they write is the other half of the parts until the next barrier.
    if (thread_index() / 32 == step % product_warps) add_slab<Traits>(call, done, token, parts, shared);
  }
}

} // namespace

void launch_vector_product(Device& device, std::span<const ProductPart> parts, const VectorInput& input, int tokens,
                           Epilogue epilogue) {
  const VectorProduct call{PanelList::make(parts, epilogue), input, parts[0].weight.units()};
  const int shares = epilogue == Epilogue::activate ? call.list.slots / 2 : call.list.slots;
  const int blocks = std::min(shares, blocks_of_multiprocessor * device.info().multiprocessors);
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float)
      launch(device, vector_product<Traits>, {static_cast<unsigned>(blocks), static_cast<unsigned>(tokens)},
             product_threads, VectorShared::bytes(input, call.units, Unit<Traits>::roundings), call);
  });
}

} // namespace kern::cuda
