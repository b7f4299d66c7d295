// The chunks of attention joined from left to right, as kernels/cpu/bodies/attention.inl does.
#include "kernels/cuda/attention.h"
#include "kernels/cuda/chunk_results.h"

namespace kern::cuda {

namespace {

constexpr int merge_threads = 128;
constexpr int merge_dims = warp_lanes; // of a block
constexpr int merge_span = 512;        // chunks whose factors are at hand
constexpr int merge_rows = 64;         // chunks of a stage
constexpr int merge_stages = 4;

struct MergeChunks {
  AttentionShape shape;
  const std::int32_t* position;
  ChunkResults results;
  float* out; // [n][heads * value_dim]
};

struct MergeShared {
  float o[merge_stages][merge_rows][merge_dims];
  float2 factors[merge_span]; // what is multiplied: what came before, what a chunk adds
  float l[merge_span];
  float tops[merge_threads / warp_lanes]; // maximum of a warp's chunks
  float top;                              // of all chunks before the span
  float total_l;
};

/// Copies of chunks [stage * 64, ...) of the 32 dimensions at hand.
KERN_DEVICE void copy_results(MergeShared& shared, const float* o, int o_stride, int stage, int chunks) {
  const int column = thread_index() % 8;
  for (int row = thread_index() / 8; row < merge_rows; row += merge_threads / 8) {
    const int chunk = stage * merge_rows + row;
    if (chunk < chunks)
      copy_async(&shared.o[stage % merge_stages][row][column * 4],
                 o + static_cast<std::int64_t>(chunk) * o_stride + column * 4);
  }
  commit_copies();
}

/// Factors of chunks [first, first + merge_span): each thread those of four neighbours. The maximum of all chunks up to
/// one is the same in whatever order it is found.
KERN_DEVICE void find_factors(MergeShared& shared, const float* m, const float* l, int first, int chunks) {
  constexpr int each = merge_span / merge_threads;
  const int begin = first + thread_index() * each;
  float own[each];
  float top = minus_infinity;
  for (int i = 0; i < each; ++i) {
    own[i] = begin + i < chunks ? m[begin + i] : minus_infinity;
    shared.l[thread_index() * each + i] = begin + i < chunks ? l[begin + i] : 0.0f;
    top = own[i] > top ? own[i] : top;
  }
  for (int distance = 1; distance < warp_lanes; distance *= 2) {
    const float other = from_lane(top, lane_index() - distance);
    if (lane_index() >= distance && other > top) top = other;
  }
  if (lane_index() == warp_lanes - 1) shared.tops[warp_index()] = top;
  const float left = from_lane(top, lane_index() - 1);
  block_barrier();
  float before = first == 0 ? minus_infinity : shared.top;
  for (int warp = 0; warp < warp_index(); ++warp) before = shared.tops[warp] > before ? shared.tops[warp] : before;
  if (lane_index() > 0 && left > before) before = left;
  for (int i = 0; i < each; ++i) {
    const float now = own[i] > before ? own[i] : before;
    shared.factors[thread_index() * each + i] = {exp_f32(before - now), exp_f32(own[i] - now)};
    before = now;
  }
  block_barrier();
  if (thread_index() == merge_threads - 1) shared.top = before;
}

/// Blocks: x token, y head, z 32 dimensions. While a warp goes along the chunks, a dimension a lane, all others'
/// results are on their way: 24 KB of a block. The next warp does the same for the denominator.
__global__ void __launch_bounds__(merge_threads) merge_chunks(MergeChunks call) {
  wait_for_inputs();
  auto& shared = shared_memory<MergeShared>();
  const AttentionShape& shape = call.shape;
  const std::int64_t token = block_x();
  const int position = call.position[token];
  const int chunks = page_of(position) - page_of(first_visible(position, shape.window)) + 1;
  const std::int64_t entry = call.results.entry(token, shape.heads, block_y());
  const float* o = call.results.o + entry * call.results.o_stride + block_z() * merge_dims;
  for (int stage = 0; stage < merge_stages - 1; ++stage) copy_results(shared, o, call.results.o_stride, stage, chunks);

  float total = 0.0f;
  const int lane = lane_index();
  for (int first = 0; first < chunks; first += merge_rows) {
    if (first % merge_span == 0) {
      block_barrier(); // the last span's factors have been used
      find_factors(shared, call.results.m + entry, call.results.l + entry, first, chunks);
    }
    wait_copies<merge_stages - 2>();
    block_barrier();
    const int stage = first / merge_rows;
    copy_results(shared, o, call.results.o_stride, stage + merge_stages - 1, chunks);
    const int count = chunks - first < merge_rows ? chunks - first : merge_rows;
    const int at = first % merge_span;
    const bool is_sum = warp_index() == 1;
    if (warp_index() > 1) continue;
    const float* from = is_sum ? shared.l + at : &shared.o[stage % merge_stages][0][lane];
    const int next = is_sum ? 1 : merge_dims;
    if (first == 0) total = from[0];
    KERN_UNROLL_BY(8)
    for (int i = first == 0 ? 1 : 0; i < count; ++i) {
      const float2 factors = shared.factors[at + i];
      total = fused(total, factors.x, from[i * next] * factors.y);
    }
  }
  if (warp_index() == 1 && lane == 0) shared.total_l = total;
  block_barrier();
  const int dim = block_z() * merge_dims + lane;
  if (warp_index() == 0 && dim < shape.value_dim)
    call.out[(token * shape.heads + block_y()) * shape.value_dim + dim] = divide(total, shared.total_l);
}

} // namespace

void launch_merge_chunks(Device& device, const AttentionShape& shape, const StepInputs& step,
                         const ChunkResults& results, float* out) {
  launch(device, merge_chunks,
         {static_cast<unsigned>(step.tokens), static_cast<unsigned>(shape.heads),
          static_cast<unsigned>(results.o_stride / merge_dims)},
         merge_threads, sizeof(MergeShared), MergeChunks{shape, step.position, results, out});
}

} // namespace kern::cuda
