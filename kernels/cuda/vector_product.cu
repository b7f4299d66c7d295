// Quantized weights times one token: reading the weights is all there is to it, so a row is read once, in whole lines.
//
// A block takes a panel of 16 rows; each of its warps two units of 256 columns at a time, a lane one row's unit. What a
// rounding of activations contributes to a row goes through shared memory to the thread that adds a row's
// contributions in the order of columns, which is what keeps the canonical bits. While it adds those of one slab, the
// warps compute the next.
#include "kernels/cuda/codecs.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"

namespace kern::cuda {

namespace {

constexpr int product_warps = 8;
constexpr int product_threads = product_warps * 32;
constexpr int slab_units = product_warps * 2; // a pass of the block

struct Part {
  const std::byte* weights;
  const float* bias;
  float* out;
  std::int64_t rows;
};

struct VectorProduct {
  Part parts[most_parts];
  int first_block[most_parts]; // of the grid, for each part
  int part_count;
  Epilogue epilogue;
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
  const auto* codes = reinterpret_cast<const std::uint32_t*>(x.codes + first_unit * unit_columns);
  for (int i = thread_index(); i < x.units * (unit_columns / 4); i += product_threads) shared.codes[i] = codes[i];
  for (int i = thread_index(); i < x.units * roundings; i += product_threads)
    shared.scales[i] = x.scales[first_unit * roundings + i];
  for (int i = thread_index(); i < x.units * 16; i += product_threads) shared.sums[i] = x.sums[first_unit * 16 + i];
}

/// results [16] = a panel of rows times the activations; ends with a barrier.
template <class Traits>
KERN_DEVICE void panel_product(const std::byte* panel, int units, const VectorShared& shared, float* results) {
  constexpr int roundings = Unit<Traits>::roundings;
  const int row = thread_index() % panel_rows;
  const int slabs = (units + slab_units - 1) / slab_units;
  if (thread_index() < panel_rows) results[row] = 0.0f;
  for (int slab = 0; slab <= slabs; ++slab) {
    const int unit = slab * slab_units + thread_index() / panel_rows;
    if (slab < slabs && unit < units) {
      UnitCodec<Traits> codec;
      codec.template load<UnitHome::device>(panel + static_cast<std::size_t>(unit) * Unit<Traits>::panel_bytes, row);
      float* to = shared.parts + (slab % 2 * slab_units + thread_index() / panel_rows) * roundings * panel_rows + row;
      KERN_UNROLL
      for (int r = 0; r < roundings; ++r)
        to[r * panel_rows] =
            rounding_product<Traits>(codec, r, shared.codes + unit * (unit_columns / 4), shared.sums + unit * 16);
    }
    if (slab > 0 && thread_index() / 32 == slab % product_warps && thread_index() % 32 < panel_rows) {
      const int first = (slab - 1) * slab_units;
      const int count = (units - first < slab_units ? units - first : slab_units) * roundings;
      const float* from = shared.parts + (slab - 1) % 2 * slab_units * roundings * panel_rows + row;
      float result = results[row];
      for (int i = 0; i < count; ++i)
        result = fused(from[i * panel_rows], shared.scales[first * roundings + i], result);
      results[row] = result;
    }
    block_barrier();
  }
}

template <class Traits> __global__ void __launch_bounds__(product_threads) vector_product(VectorProduct call) {
  const VectorShared shared(&shared_memory<unsigned char>(), call.x.units, Unit<Traits>::roundings);
  const int token = block_y();
  int part = 0;
  while (part + 1 < call.part_count && block_x() >= call.first_block[part + 1]) ++part;
  const std::int64_t panel = block_x() - call.first_block[part];
  const std::size_t panel_stride = static_cast<std::size_t>(call.x.units) * Unit<Traits>::panel_bytes;
  load_activations(call.x, token, shared);
  block_barrier();
  const bool gated = call.epilogue == Epilogue::activate;
  for (int i = part; i <= part + (gated ? 1 : 0); ++i)
    panel_product<Traits>(call.parts[i].weights + static_cast<std::size_t>(panel) * panel_stride, call.x.units, shared,
                          shared.results + (i - part) * panel_rows);
  const Part& to = call.parts[part];
  const std::int64_t row = panel * panel_rows + thread_index();
  if (thread_index() >= panel_rows || row >= to.rows) return;
  float result = shared.results[thread_index()];
  if (to.bias) result += to.bias[row];
  float& out = to.out[token * to.rows + row];
  if (gated) {
    float up = shared.results[panel_rows + thread_index()];
    if (call.parts[1].bias) up += call.parts[1].bias[row];
    out = silu_f32(result) * up;
  } else {
    out = call.epilogue == Epilogue::add ? out + result : result;
  }
}

} // namespace

void launch_vector_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x, int tokens,
                           Epilogue epilogue) {
  VectorProduct call{};
  call.part_count = epilogue == Epilogue::activate ? 1 : static_cast<int>(parts.size());
  call.epilogue = epilogue;
  call.x = x;
  int blocks = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    call.parts[i] = {parts[i].weight.data, parts[i].bias, parts[i].out, parts[i].weight.rows};
    call.first_block[i] = blocks;
    if (static_cast<int>(i) < call.part_count) blocks += static_cast<int>(parts[i].weight.panels());
  }
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float)
      launch(device, vector_product<Traits>, {static_cast<unsigned>(blocks), static_cast<unsigned>(tokens)},
             product_threads, VectorShared::bytes(x.units, Unit<Traits>::roundings), call);
  });
}

} // namespace kern::cuda
