// Quantized weights times one token: reading the weights is all there is to it, so a row is read once, in whole lines.
//
// A block takes a panel of 16 rows (gate and up: one of each, one after the other); each of its warps two units of 256
// columns at a time, a lane one row's unit, whose words are asked for before what went before is done with: the first
// ones before the activations, which all blocks read. What a rounding of activations contributes to a row goes through
// shared memory to the thread that adds a row's contributions in the order of columns, which is what keeps the
// canonical bits. While it adds those of one slab, the warps compute the next.
#include "kernels/cuda/codecs.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/product_parts.h"

namespace kern::cuda {

namespace {

constexpr int product_warps = 8;
constexpr int product_threads = product_warps * 32;
constexpr int slab_units = product_warps * 2; // a pass of the block

struct VectorProduct {
  PanelList list;
  RoundedRows x;
};

/// Shared memory of a block, sizes from the shape.
struct VectorShared {
  std::uint32_t* codes; // [units * 64]
  float* scales;        // [units * roundings]
  std::int16_t* sums;   // [units * 16]
  float* parts;         // [2][slab_units * roundings][16]: contributions, a slab's and the next one's
  float* results;       // [2][16]: sums so far; of the second part where there are two

  static std::size_t bytes(int units, int roundings) {
    return static_cast<std::size_t>(units) * (unit_columns + static_cast<std::size_t>(roundings) * 4 + 32) +
           (static_cast<std::size_t>(2 * slab_units * roundings) + 2) * panel_rows * sizeof(float);
  }
  KERN_DEVICE VectorShared(unsigned char* memory, int units, int roundings) {
    codes = reinterpret_cast<std::uint32_t*>(memory);
    scales = reinterpret_cast<float*>(codes + units * (unit_columns / 4));
    parts = scales + units * roundings;
    results = parts + 2 * slab_units * roundings * panel_rows;
    sums = reinterpret_cast<std::int16_t*>(results + 2 * panel_rows);
  }
};

KERN_DEVICE void load_activations(const RoundedRows& x, int token, const VectorShared& shared) {
  const int roundings = unit_columns / x.rounding;
  const auto first_unit = static_cast<std::int64_t>(token) * x.units;
  const auto* codes = reinterpret_cast<const uint4*>(x.codes + first_unit * unit_columns);
  for (int i = thread_index(); i < x.units * (unit_columns / 16); i += product_threads)
    reinterpret_cast<uint4*>(shared.codes)[i] = codes[i];
  for (int i = thread_index(); i < x.units * roundings; i += product_threads)
    shared.scales[i] = x.scales[first_unit * roundings + i];
  const auto* sums = reinterpret_cast<const std::uint32_t*>(x.sums + first_unit * 16);
  for (int i = thread_index(); i < x.units * 8; i += product_threads)
    reinterpret_cast<std::uint32_t*>(shared.sums)[i] = sums[i];
}

/// One or two panels times the activations; results [panel][16].
template <class Traits> struct PanelProduct {
  static constexpr int roundings = Unit<Traits>::roundings;
  const std::byte* panels[2];
  int count; // of panels
  int units;
  const VectorShared& shared;

  KERN_DEVICE int slabs() const { return (units + slab_units - 1) / slab_units; }
  /// The unit of a slab that the thread takes.
  KERN_DEVICE int unit_of(int slab) const { return slab * slab_units + thread_index() / panel_rows; }
  /// Asks for it, if there is one. Slabs are counted through both panels.
  KERN_DEVICE void load(int slab, UnitCodec<Traits>& codec) const {
    const int unit = unit_of(slab % slabs());
    if (slab >= count * slabs() || unit >= units) return;
    const std::byte* panel = slab < slabs() ? panels[0] : panels[1];
    codec.template load<UnitHome::device>(panel + static_cast<std::size_t>(unit) * Unit<Traits>::panel_bytes,
                                          thread_index() % panel_rows);
  }
  KERN_DEVICE float* parts_of(int slab) const { return shared.parts + slab % 2 * slab_units * roundings * panel_rows; }
  /// Contributions of a unit.
  KERN_DEVICE void multiply(int slab, const UnitCodec<Traits>& codec) const {
    const int unit = unit_of(slab % slabs());
    if (unit >= units) return;
    float* to = parts_of(slab) + thread_index() / panel_rows * roundings * panel_rows + thread_index() % panel_rows;
    KERN_UNROLL
    for (int r = 0; r < roundings; ++r)
      to[r * panel_rows] =
          rounding_product<Traits>(codec, r, shared.codes + unit * (unit_columns / 4), shared.sums + unit * 16);
  }
  /// Adds a slab's contributions, in one half of a warp.
  KERN_DEVICE void add(int slab) const {
    if (thread_index() / 32 != slab % product_warps || thread_index() % 32 >= panel_rows) return;
    const int row = thread_index() % panel_rows;
    const int first = slab % slabs() * slab_units;
    const int added = (units - first < slab_units ? units - first : slab_units) * roundings;
    const float* from = parts_of(slab) + row;
    float& to = shared.results[slab / slabs() * panel_rows + row];
    float result = first == 0 ? 0.0f : to;
    for (int i = 0; i < added; ++i) result = fused(from[i * panel_rows], shared.scales[first * roundings + i], result);
    to = result;
  }
  /// Ends with a barrier; `codec` has been loaded for the first slab.
  KERN_DEVICE void run(UnitCodec<Traits>& codec) const {
    for (int slab = 0; slab <= count * slabs(); ++slab) {
      if (slab < count * slabs()) multiply(slab, codec);
      load(slab + 1, codec);
      if (slab > 0) add(slab - 1);
      block_barrier();
    }
  }
};

/// Blocks of a multiprocessor: three have 80 registers a thread, which hold 36 words of a unit with hardly a
/// spill; two keep enough bytes on their way where units are longer.
template <class Traits> constexpr int blocks_at_once = UnitWords<Traits>::count <= 36 ? 3 : 2;

template <class Traits>
__global__ void __launch_bounds__(product_threads, blocks_at_once<Traits>) vector_product(VectorProduct call) {
  const VectorShared shared(&shared_memory<unsigned char>(), call.x.units, Unit<Traits>::roundings);
  const int token = block_y();
  const bool gated = call.list.epilogue == Epilogue::activate;
  const int slot = gated ? block_x() * 2 : block_x();
  const std::size_t panel_stride = static_cast<std::size_t>(call.x.units) * Unit<Traits>::panel_bytes;
  const auto begin = [&](PanelPlace at) {
    return call.list.parts[at.part].weights + static_cast<std::size_t>(at.panel) * panel_stride;
  };
  const PanelProduct<Traits> product{{begin(call.list.place(slot)), gated ? begin(call.list.place(slot + 1)) : nullptr},
                                     gated ? 2 : 1,
                                     call.x.units,
                                     shared};
  UnitCodec<Traits> codec;
  product.load(0, codec);
  load_activations(call.x, token, shared);
  block_barrier();
  product.run(codec);
  if (thread_index() >= panel_rows) return;
  const float* results = shared.results + thread_index();
  if (gated) store_activated(call.list, slot, thread_index(), token, results[0], results[panel_rows]);
  else store_result(call.list, slot, thread_index(), token, results[0]);
}

} // namespace

void launch_vector_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x, int tokens,
                           Epilogue epilogue) {
  const VectorProduct call{PanelList::make(parts, epilogue), x};
  const int blocks = epilogue == Epilogue::activate ? call.list.slots / 2 : call.list.slots;
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float)
      launch(device, vector_product<Traits>, {static_cast<unsigned>(blocks), static_cast<unsigned>(tokens)},
             product_threads, VectorShared::bytes(x.units, Unit<Traits>::roundings), call);
  });
}

} // namespace kern::cuda
