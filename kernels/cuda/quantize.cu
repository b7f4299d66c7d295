// Norm, and rounding of activations to int8.
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/unit_codec.h"

namespace kern::cuda {

namespace {

constexpr int norm_threads = 256;
constexpr int warp_threads = 32;

/// Sum of 16 lanes by the fixed tree, in the first 16 threads of a warp; every lane of the warp calls it.
KERN_DEVICE float tree_of_lanes(float lane) {
  for (int width = 8; width >= 1; width /= 2) lane += from_lane_xor(lane, width);
  return lane;
}

/// 1 / sqrt(mean(x^2) + epsilon) of x [columns], in every thread of the block. `place` is shared.
KERN_DEVICE float norm_scale(const float* x, int columns, float epsilon, float* place) {
  if (thread_index() < warp_threads) {
    // The 16 strided lanes of the definition; the upper half of the warp does the same for company.
    const int lane = thread_index() % 16;
    float sum = 0.0f;
    for (int i = lane; i < columns; i += 16) sum = fused(x[i], x[i], sum);
    const float total = tree_of_lanes(sum);
    if (thread_index() == 0) *place = divide(1.0f, square_root(divide(total, static_cast<float>(columns)) + epsilon));
  }
  block_barrier();
  return *place;
}

/// Eight activations of a unit in each lane of a warp -> codes, sums, scales.
KERN_DEVICE void round_unit(const float (&x)[8], const RoundedRows& out, std::int64_t unit) {
  const int lane = thread_index() % warp_threads;
  int top = 0; // of the magnitudes' bits: exact, and NaN or infinity come out on top
  for (const float value : x) {
    const auto bits = static_cast<int>(float_bits(value) & 0x7FFFFFFFu);
    top = bits > top ? bits : top;
  }
  for (int mask = 1; mask < out.rounding / 8; mask *= 2) {
    const int other = from_lane_xor(top, mask);
    top = other > top ? other : top;
  }
  const float largest = bits_float(static_cast<std::uint32_t>(top));
  // All (nearly) zero: codes 0. Not finite: codes 0 and a scale that carries it into the result.
  const bool usable = largest > 0x1p-120f && top < 0x7F800000;
  const float inverse = divide(127.0f, largest);
  std::uint32_t words[2] = {0, 0};
  int sum = 0;
  for (int i = 0; i < 8; ++i) {
    const int code = usable ? static_cast<int>(float_bits(x[i] * inverse + 0x1.8p23f)) - 0x4B400000 : 0;
    words[i / 4] |= (static_cast<std::uint32_t>(code) & 0xFFu) << (i % 4 * 8);
    sum += code;
  }
  sum += from_lane_xor(sum, 1);
  auto* codes = reinterpret_cast<std::uint32_t*>(out.codes + unit * unit_columns);
  codes[lane * 2] = words[0];
  codes[lane * 2 + 1] = words[1];
  if (lane % 2 == 0) out.sums[unit * 16 + lane / 2] = static_cast<std::int16_t>(sum);
  const int lanes = out.rounding / 8;
  if (lane % lanes == 0) out.scales[unit * (unit_columns / out.rounding) + lane / lanes] = divide(largest, 127.0f);
}

struct NormQuantize {
  const float* x;
  const float* weight; // null: no norm
  float epsilon;
  int columns;
  float* normed; // null: not wanted
  RoundedRows by32, by256;
};

/// A block a token; its warps take units in turn.
__global__ void __launch_bounds__(norm_threads) norm_quantize(NormQuantize call) {
  struct Shared {
    float scale;
  };
  const std::int64_t token = block_x();
  const float* x = call.x + token * call.columns;
  float scale = 1.0f;
  if (call.weight) scale = norm_scale(x, call.columns, call.epsilon, &shared_memory<Shared>().scale);
  const int lane = thread_index() % warp_threads;
  const int units = (call.columns + unit_columns - 1) / unit_columns;
  for (int unit = thread_index() / warp_threads; unit < units; unit += norm_threads / warp_threads) {
    float values[8];
    for (int i = 0; i < 8; ++i) {
      const int column = unit * unit_columns + lane * 8 + i;
      float value = 0.0f;
      if (column < call.columns) {
        value = x[column];
        if (call.weight) value = value * scale * call.weight[column];
        if (call.normed) call.normed[token * call.columns + column] = value;
      }
      values[i] = value;
    }
    if (call.by32.rounding) round_unit(values, call.by32, token * units + unit);
    if (call.by256.rounding) round_unit(values, call.by256, token * units + unit);
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
  struct Shared {
    float scale;
  };
  const std::int64_t row = block_x();
  const float* x = call.x + row * call.columns;
  float* out = call.out + row * call.columns;
  const float scale = norm_scale(x, call.columns, call.epsilon, &shared_memory<Shared>().scale);
  for (int i = thread_index(); i < call.columns; i += block_threads()) out[i] = x[i] * scale * call.weight[i];
}

} // namespace

void launch_norm(Device& device, const float* x, const float* weight, float epsilon, int rows, int columns,
                 float* out) {
  const unsigned threads = columns >= 1024 ? norm_threads : columns >= 256 ? 64 : 32;
  launch(device, norm, {static_cast<unsigned>(rows)}, threads, sizeof(float), Norm{x, weight, epsilon, columns, out});
}

void launch_quantize(Device& device, const float* x, int tokens, int columns, const RoundedRows& by32,
                     const RoundedRows& by256) {
  launch(device, norm_quantize, {static_cast<unsigned>(tokens)}, norm_threads, sizeof(float),
         NormQuantize{x, nullptr, 0.0f, columns, nullptr, by32, by256});
}

void launch_norm_quantize(Device& device, const float* x, const float* weight, float epsilon, int tokens, int columns,
                          float* normed, const RoundedRows& by32, const RoundedRows& by256) {
  launch(device, norm_quantize, {static_cast<unsigned>(tokens)}, norm_threads, sizeof(float),
         NormQuantize{x, weight, epsilon, columns, normed, by32, by256});
}

} // namespace kern::cuda
