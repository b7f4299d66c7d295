// Norm and rotation of heads, and storing of keys and values in the pages of the cache. A warp takes a head of a token:
// in shared memory it is normed, rotated and rounded without going back to device memory.
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/lanes.h"
#include "kernels/cuda/rope.h"

namespace kern::cuda {

namespace {

constexpr int head_warps = 4; // heads of a block

struct PrepareHeads {
  KvLayer cache;
  StepInputs step;
  int heads; // of q that change
  float* q;
  const float* k;
  float* k_changed; // k, or null where it stays
  const float* v;
  const float* query_norm; // [key_dim], null: none
  const float* key_norm;
  float epsilon;
  int rope_dims; // 0: no rotation
  RopePairs rope_pairs;
  const float* table; // [n][rope_dims]
};

/// Where a token's page is.
KERN_DEVICE std::byte* page_of_token(const KvLayer& cache, const StepInputs& step, std::int64_t token) {
  const std::int64_t table = static_cast<std::int64_t>(cache.group) * step.sequences + step.sequence[token];
  const std::int32_t page = step.page_table[table * step.pages_per_sequence + page_of(step.position[token])];
  return cache.pool + static_cast<std::size_t>(page) * cache.view.page_bytes;
}

/// The number of a block of 32 that is greatest by magnitude, with its sign, as round_cache_block of the CPU finds it:
/// the first of equals; what stands before a number that is none doesn't count. Each lane gives its number.
KERN_DEVICE float largest_of_block(float x) {
  const int lane = lane_index();
  int begin = 0;
  for (unsigned none = lanes_where(x != x); none != 0; none >>= 1) ++begin;
  int winner = lane;
  int top = lane < begin ? -1 : static_cast<int>(float_bits(x) & 0x7FFFFFFFu);
  for (int mask = 1; mask < warp_lanes; mask *= 2) {
    const int other_top = from_lane_xor(top, mask);
    const int other = from_lane_xor(winner, mask);
    if (other_top > top || (other_top == top && other < winner)) {
      top = other_top;
      winner = other;
    }
  }
  const float found = from_lane(x, begin == warp_lanes ? warp_lanes - 1 : winner);
  return top == 0 && begin == 0 ? 0.0f : found;
}

/// Element (dim, slot) of keys [dims][64] or values [64][dims].
KERN_DEVICE int cell(bool is_key, int dim, int slot, int dims) {
  return is_key ? key_index(dim, slot) : value_index(slot, dim, dims);
}

/// A block of 32 numbers, one a lane, into keys or values of a head with `dims` dimensions.
KERN_DEVICE void store_block(Format format, bool is_key, int slot, int dims, int block, float x, std::byte* head) {
  const int lane = lane_index();
  const bool four_bits = format == Format::q4_0;
  const float largest = largest_of_block(x);
  const float scale = four_bits ? divide(largest, -8.0f) : divide(largest < 0.0f ? -largest : largest, 127.0f);
  const float inverse = scale != 0.0f ? divide(1.0f, scale) : 0.0f;
  const float value = x * inverse;
  const float limited = value > -128.0f && value < 128.0f ? round_even(value) : 0.0f;
  int code = static_cast<int>(limited);
  if (four_bits) code = code + 8 < 15 ? code + 8 : 15;
  code &= 0xFF;
  auto* codes = reinterpret_cast<std::uint8_t*>(head);
  const int bytes = four_bits ? dims / 2 : dims;
  if (four_bits) {
    const int high = from_lane_xor(code, 16);
    if (lane < 16) codes[cell(is_key, block * 16 + lane, slot, bytes)] = static_cast<std::uint8_t>(code | (high << 4));
  } else {
    codes[cell(is_key, block * cache_block + lane, slot, bytes)] = static_cast<std::uint8_t>(code);
  }
  auto* scales = reinterpret_cast<Half*>(head + bytes * page_positions);
  if (lane == 0) scales[cell(is_key, block, slot, dims / cache_block)] = to_half(scale);
}

/// x [dims] in shared memory into a head's keys or values.
KERN_DEVICE void store_head(Format format, bool is_key, int slot, int dims, const float* x, std::byte* head) {
  if (format == Format::f32 || format == Format::f16) {
    for (int d = lane_index(); d < dims; d += warp_lanes) {
      const int at = cell(is_key, d, slot, dims);
      if (format == Format::f32) reinterpret_cast<float*>(head)[at] = x[d];
      else reinterpret_cast<Half*>(head)[at] = to_half(x[d]);
    }
    return;
  }
  for (int block = 0; block < dims / cache_block; ++block)
    store_block(format, is_key, slot, dims, block, x[block * cache_block + lane_index()], head);
}

/// Norm (weight null: none) and rotation of a query's or key's head, in shared memory.
KERN_DEVICE void norm_and_rotate(const PrepareHeads& call, const float* weight, std::int64_t token, float* x) {
  const int dims = call.cache.view.shape.key_dim;
  if (weight) {
    const float mean = divide(sum_of_squares(x, dims), static_cast<float>(dims));
    const float scale = divide(1.0f, square_root(mean + call.epsilon));
    warp_barrier();
    for (int d = lane_index(); d < dims; d += warp_lanes) x[d] = x[d] * scale * weight[d];
    warp_barrier();
  }
  if (call.rope_dims == 0) return;
  for (int pair = lane_index(); pair < call.rope_dims / 2; pair += warp_lanes)
    rotate_pair(call.rope_pairs, call.rope_dims, call.table + token * call.rope_dims, pair, x);
  warp_barrier();
}

/// Blocks along x are tokens; warps of the blocks along y the heads of q, then of k, then of v.
__global__ void __launch_bounds__(head_warps* warp_lanes) prepare_heads(PrepareHeads call) {
  wait_for_inputs();
  const KvView& view = call.cache.view;
  const KvShape& shape = view.shape;
  const std::int64_t token = block_x();
  const int item = block_y() * head_warps + warp_index();
  if (item >= call.heads + 2 * shape.heads) return;
  const bool is_query = item < call.heads;
  const bool is_key = !is_query && item < call.heads + shape.heads;
  const int dims = is_query || is_key ? shape.key_dim : shape.value_dim;
  const int most = shape.key_dim > shape.value_dim ? shape.key_dim : shape.value_dim;
  float* x = &shared_memory<float>() + warp_index() * most;

  const int kv_head = is_key ? item - call.heads : item - call.heads - shape.heads;
  const std::int64_t at = (is_query ? token * call.heads + item : token * shape.heads + kv_head) * dims;
  const float* from = is_query ? call.q : is_key ? call.k : call.v;
  for (int d = lane_index(); d < dims; d += warp_lanes) x[d] = from[at + d];
  warp_barrier();
  if (is_query || is_key) {
    norm_and_rotate(call, is_query ? call.query_norm : call.key_norm, token, x);
    float* changed = is_query ? call.q : call.k_changed;
    if (changed)
      for (int d = lane_index(); d < dims; d += warp_lanes) changed[at + d] = x[d];
  }
  if (is_query) return;
  std::byte* page = page_of_token(call.cache, call.step, token);
  const auto head = static_cast<std::size_t>(kv_head);
  store_head(is_key ? view.key_format : view.value_format, is_key, slot_of(call.step.position[token]), dims, x,
             page + (is_key ? view.keys + head * view.key_stride : view.values + head * view.value_stride));
}

void launch_prepare_heads(Device& device, const PrepareHeads& call) {
  const KvShape& shape = call.cache.view.shape;
  const int blocks = (call.heads + 2 * shape.heads + head_warps - 1) / head_warps;
  const int most = shape.key_dim > shape.value_dim ? shape.key_dim : shape.value_dim;
  launch(device, prepare_heads, {static_cast<unsigned>(call.step.tokens), static_cast<unsigned>(blocks)},
         head_warps * warp_lanes, static_cast<std::size_t>(head_warps * most) * sizeof(float), call);
}

} // namespace

void launch_store_kv(Device& device, const KvLayer& cache, const StepInputs& step, const float* k, const float* v) {
  PrepareHeads call{};
  call.cache = cache;
  call.step = step;
  call.k = k;
  call.v = v;
  launch_prepare_heads(device, call);
}

void launch_norm_rotate_store(Device& device, const float* query_norm, const float* key_norm, float epsilon,
                              const Rope* rope, const float* table, const KvLayer& cache, const StepInputs& step,
                              int heads, float* q, float* k, const float* v) {
  PrepareHeads call{};
  call.cache = cache;
  call.step = step;
  call.heads = query_norm || rope ? heads : 0;
  call.q = q;
  call.k = k;
  call.k_changed = key_norm || rope ? k : nullptr;
  call.v = v;
  call.query_norm = query_norm;
  call.key_norm = key_norm;
  call.epsilon = epsilon;
  if (rope) {
    call.rope_dims = rope->dims;
    call.rope_pairs = rope->pairs;
    call.table = table;
  }
  launch_prepare_heads(device, call);
}

} // namespace kern::cuda
