// Norm, and rounding of activations to int8.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/rounding.h"

namespace kern::cuda {

namespace {

constexpr int norm_threads = 256;

struct NormQuantize {
  const float* x;
  const float* weight; // null: no norm
  float epsilon;
  int columns;
  float* normed; // null: not wanted
  RoundedRows by32, by256;
};

/// What a block keeps of its row: the norm's scale, then the row.
struct NormShared {
  float scale;
  float row[1]; // [columns]

  static std::size_t bytes(int columns) {
    return sizeof(NormShared) + static_cast<std::size_t>(columns) * sizeof(float);
  }
};

template <int rounding> KERN_DEVICE UnitOfTile<rounding> unit_of_tile(const RoundedRows& rows, int token, int unit) {
  constexpr int tokens = static_cast<int>(warpgroup_tokens);
  return {rows.tile<rounding>(token / tokens, unit), static_cast<unsigned>(token % tokens)};
}

/// A block a token; its warps take units in turn.
__global__ void __launch_bounds__(norm_threads) norm_quantize(NormQuantize call) {
  wait_for_inputs();
  const std::int64_t token = block_x();
  ActivationRow row{call.x + token * call.columns, call.weight, 1.0f, call.columns,
                    call.normed ? call.normed + token * call.columns : nullptr};
  if (call.weight) {
    auto& shared = shared_memory<NormShared>();
    stage_row(row.x, call.columns, shared.row);
    row.x = shared.row;
    row.scale = norm_scale(shared.row, call.columns, call.epsilon, &shared.scale);
  }
  const int units = (call.columns + unit_columns - 1) / unit_columns;
  for (int unit = thread_index() / 32; unit < units; unit += norm_threads / 32) {
    float values[8];
    row.load(unit, values);
    if (call.by32.rounding) round_unit(values, 32, unit_of_tile<32>(call.by32, block_x(), unit));
    if (call.by256.rounding) round_unit(values, 256, unit_of_tile<256>(call.by256, block_x(), unit));
  }
}

struct Norm {
  const float* x;
  const float* weight;
  float epsilon;
  int columns;
  float* out;
};

__global__ void __launch_bounds__(norm_threads) norm(Norm call) {
  wait_for_inputs();
  auto& shared = shared_memory<NormShared>();
  const std::int64_t row = block_x();
  float* out = call.out + row * call.columns;
  stage_row(call.x + row * call.columns, call.columns, shared.row);
  const float scale = norm_scale(shared.row, call.columns, call.epsilon, &shared.scale);
  for (int i = thread_index(); i < call.columns; i += block_threads()) out[i] = shared.row[i] * scale * call.weight[i];
}

} // namespace

void launch_norm(Device& device, const float* x, const float* weight, float epsilon, int rows, int columns,
                 float* out) {
  const unsigned threads = columns >= 1024 ? norm_threads : columns >= 256 ? 64 : 32;
  launch(device, norm, {static_cast<unsigned>(rows)}, threads, NormShared::bytes(columns),
         Norm{x, weight, epsilon, columns, out});
}

void launch_quantize(Device& device, const float* x, int tokens, int columns, const RoundedRows& by32,
                     const RoundedRows& by256) {
  launch(device, norm_quantize, {static_cast<unsigned>(tokens)}, norm_threads, 0,
         NormQuantize{x, nullptr, 0.0f, columns, nullptr, by32, by256});
}

void launch_norm_quantize(Device& device, const float* x, const float* weight, float epsilon, int tokens, int columns,
                          float* normed, const RoundedRows& by32, const RoundedRows& by256) {
  launch(device, norm_quantize, {static_cast<unsigned>(tokens)}, norm_threads, NormShared::bytes(columns),
         NormQuantize{x, weight, epsilon, columns, normed, by32, by256});
}

} // namespace kern::cuda
