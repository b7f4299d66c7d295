// Rows of tables, and what is done to every element alone.
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/unit_codec.h"

namespace kern::cuda {

namespace {

constexpr unsigned element_threads = 256;

Grid blocks_for(std::size_t count) { return {static_cast<unsigned>((count + element_threads - 1) / element_threads)}; }
KERN_DEVICE std::size_t element_index() {
  return static_cast<std::size_t>(block_x()) * element_threads + static_cast<std::size_t>(thread_index());
}

struct Embed {
  DeviceMatrix table;
  const std::int32_t* token;
  float scale;
  float* out;
};

/// A block a token; a thread a block of the format.
template <class Traits> __global__ void embed_blocks(Embed call) {
  wait_for_inputs();
  using Block = typename Traits::Block;
  const std::int64_t token = call.token[block_x()];
  const std::byte* panel = call.table.data + static_cast<std::size_t>(token / panel_rows) *
                                                 static_cast<std::size_t>(call.table.units()) *
                                                 Unit<Traits>::panel_bytes;
  const int row = static_cast<int>(token % panel_rows);
  float* out = call.out + static_cast<std::int64_t>(block_x()) * call.table.columns;
  for (int b = thread_index(); b < call.table.columns / Traits::width; b += block_threads()) {
    const std::byte* unit = panel + static_cast<std::size_t>(b / Unit<Traits>::blocks) * Unit<Traits>::panel_bytes;
    Block block;
    auto* bytes = reinterpret_cast<std::byte*>(&block);
    KERN_NO_UNROLL // once a token: code that compiles quickly is worth more
        for (int i = 0; i < static_cast<int>(sizeof(Block)); ++i) bytes[i] =
            unit[byte_in_panel(Unit<Traits>::bytes, row, byte_in_unit<Traits>(b % Unit<Traits>::blocks, i))];
    float values[Traits::width];
    Traits::decode(block, values);
    for (int i = 0; i < Traits::width; ++i) out[b * Traits::width + i] = values[i] * call.scale;
  }
}

template <class Traits> __global__ void embed_floats(Embed call) {
  wait_for_inputs();
  using Block = typename Traits::Block;
  const std::int64_t token = call.token[block_x()];
  const auto* panel = reinterpret_cast<const Block*>(call.table.data) +
                      token / panel_rows * panel_rows * call.table.float_tiles() * float_columns +
                      token % panel_rows * float_columns;
  float* out = call.out + static_cast<std::int64_t>(block_x()) * call.table.columns;
  for (int i = thread_index(); i < call.table.columns; i += block_threads()) {
    float value;
    Traits::decode(panel[i / float_columns * (panel_rows * float_columns) + i % float_columns], &value);
    out[i] = value * call.scale;
  }
}

struct Elements {
  const float* x;
  float* to;
  std::size_t count;
  int columns;
  const std::int32_t* row;
};

__global__ void add_elements(Elements call) {
  wait_for_inputs();
  const std::size_t i = element_index();
  if (i < call.count) call.to[i] += call.x[i];
}

__global__ void add_bias_elements(Elements call) {
  wait_for_inputs();
  const std::size_t i = element_index();
  if (i < call.count) call.to[i] += call.x[i % static_cast<std::size_t>(call.columns)];
}

__global__ void activate_elements(Elements call) {
  wait_for_inputs();
  const std::size_t i = element_index();
  if (i < call.count) call.to[i] = silu_f32(call.to[i]) * call.x[i];
}

__global__ void gather_rows(Elements call) {
  wait_for_inputs();
  const float* from = call.x + static_cast<std::int64_t>(call.row[block_x()]) * call.columns;
  float* to = call.to + static_cast<std::int64_t>(block_x()) * call.columns;
  for (int i = thread_index(); i < call.columns; i += block_threads()) to[i] = from[i];
}

} // namespace

void launch_embed(Device& device, const DeviceMatrix& table, const std::int32_t* token, int tokens, float scale,
                  float* out) {
  const Embed call{table, token, scale, out};
  const Grid grid{static_cast<unsigned>(tokens)};
  visit_format(table.format, [&]<class Traits>(Traits) {
    if constexpr (Traits::is_float) launch(device, embed_floats<Traits>, grid, element_threads, 0, call);
    else launch(device, embed_blocks<Traits>, grid, 64, 0, call);
  });
}

void launch_add_bias(Device& device, const float* bias, int rows, int columns, float* x) {
  const std::size_t count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  launch(device, add_bias_elements, blocks_for(count), element_threads, 0, Elements{bias, x, count, columns, nullptr});
}

void launch_add(Device& device, const float* x, std::size_t count, float* to) {
  launch(device, add_elements, blocks_for(count), element_threads, 0, Elements{x, to, count, 0, nullptr});
}

void launch_activate(Device& device, const float* up, std::size_t count, float* gate) {
  launch(device, activate_elements, blocks_for(count), element_threads, 0, Elements{up, gate, count, 0, nullptr});
}

void launch_gather(Device& device, const float* x, const std::int32_t* row, int count, int columns, float* out) {
  launch(device, gather_rows, {static_cast<unsigned>(count)}, element_threads, 0, Elements{x, out, 0, columns, row});
}

} // namespace kern::cuda
