// Cosines and sines of a step's positions, and rotation by them.
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/rope.h"

namespace kern::cuda {

namespace {

constexpr int rope_threads = 128;

struct RopeTable {
  Rope rope;
  const std::int32_t* position;
  float* table;
};

/// A block a token.
__global__ void __launch_bounds__(rope_threads) make_rope_table(RopeTable call) {
  wait_for_inputs();
  const std::int64_t token = block_x();
  const int half = call.rope.dims / 2;
  float* cosines = call.table + token * call.rope.dims;
  const double position = call.position[token];
  for (int i = thread_index(); i < half; i += rope_threads) {
    float sine;
    float cosine;
    sincos_f64(position * call.rope.frequencies[i], &sine, &cosine);
    cosines[i] = cosine * call.rope.magnitude;
    cosines[half + i] = sine * call.rope.magnitude;
  }
}

struct Rotate {
  RopePairs pairs;
  int dims;
  const float* table; // [tokens][dims]
  int heads;
  int head_dim;
  float* x; // [tokens][heads * head_dim]
};

/// A thread a pair; blocks along x are tokens.
__global__ void __launch_bounds__(rope_threads) rotate_rows(Rotate call) {
  wait_for_inputs();
  const std::int64_t token = block_x();
  const int half = call.dims / 2;
  const int index = block_y() * rope_threads + thread_index();
  if (index >= call.heads * half) return;
  float* head = call.x + (token * call.heads + index / half) * call.head_dim;
  rotate_pair(call.pairs, call.dims, call.table + token * call.dims, index % half, head);
}

} // namespace

void launch_rope_table(Device& device, const Rope& rope, const std::int32_t* position, int tokens, float* table) {
  launch(device, make_rope_table, {static_cast<unsigned>(tokens)}, rope_threads, 0, RopeTable{rope, position, table});
}

void launch_rotate(Device& device, const Rope& rope, const float* table, int tokens, int heads, int head_dim,
                   float* x) {
  const int blocks = (heads * (rope.dims / 2) + rope_threads - 1) / rope_threads;
  if (blocks == 0) return;
  launch(device, rotate_rows, {static_cast<unsigned>(tokens), static_cast<unsigned>(blocks)}, rope_threads, 0,
         Rotate{rope.pairs, rope.dims, table, heads, head_dim, x});
}

} // namespace kern::cuda
