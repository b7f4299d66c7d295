// Attention of generated tokens: the cache is read once, at the memory's speed, by the whole device.
//
// A warp takes a chunk of 64 keys for itself and up to 8 query heads of one KV head: in the scores a lane owns two
// keys, in the weighted values two dimensions of every 64, so each sum is one lane's, in the canonical order, and every
// number read from shared memory meets all of the queries. Pieces of at most 4 KB come through a ring in shared memory
// that belongs to the warp alone: no barrier of the block after the queries are there. Twelve warps of a multiprocessor
// with two pieces each under way are 96 KB, three times what 4.8 TB/s need for a latency of 0.8 us on each of 132.
//
// A chunk of f16, 128 dimensions and 8 queries is 32 KB, 1575 clocks of a multiprocessor's share of 4.8 TB/s at 1.75
// GHz, and about 6000 instructions of a warp, 4096 of them multiply-adds: 1500 clocks of its four schedulers.
//
// Every chunk leaves (m, l, o) in device memory; attention_merge.cu joins them from left to right.
#include "kernels/cuda/attention.h"
#include "kernels/cuda/chunk_results.h"
#include "kernels/cuda/kernels.h"

#include <algorithm>
#include <cassert>

namespace kern::cuda {

namespace {

constexpr int split_warps = 4;
constexpr int split_threads = split_warps * warp_lanes;
constexpr int ring_stages = 3;
constexpr int stage_bytes = 4096;
constexpr int few_queries = 2; // of a warp where there are more warps than chunks
constexpr int strip_dims = 2 * warp_lanes;

struct SplitAttention {
  AttentionShape shape;
  KvLayer cache;
  StepInputs step;
  const float* q; // [n][heads * key_dim]
  ChunkResults results;
};

/// Consecutive bytes of codes, then of scales, that a stage of the ring takes.
struct Piece {
  const std::byte* codes;
  const std::byte* scales;
  int code_bytes;
  int scale_bytes;
};

KERN_DEVICE bool in_blocks(Format format) { return format == Format::q8_0 || format == Format::q4_0; }
KERN_DEVICE int dims_of_piece(Format format) { return format == Format::f32 ? 16 : 32; }
/// Bytes of one position's codes.
KERN_DEVICE int code_bytes_of(Format format, int dims) {
  return format == Format::f32 ? dims * 4 : format == Format::f16 ? dims * 2 : format == Format::q8_0 ? dims : dims / 2;
}
/// As many as fit, a power of two; at least 4, and 8 where there are scales, so that pieces are whole 16 bytes.
KERN_DEVICE int slots_of_piece(Format format, int dims) {
  const int bytes = code_bytes_of(format, dims) + (in_blocks(format) ? dims / cache_block * 2 : 0);
  int slots = page_positions;
  while (slots * bytes > stage_bytes) slots /= 2;
  return slots;
}

/// Keys from dimension `first` of a head.
KERN_DEVICE Piece key_piece(Format format, const std::byte* head, int dims, int first) {
  const int all = dims_of_piece(format);
  const int count = dims - first < all ? dims - first : all;
  const int row = code_bytes_of(format, page_positions); // of all positions
  Piece piece{head + first * row, nullptr, count * row, 0};
  if (in_blocks(format)) {
    piece.scales = head + dims * row + first / cache_block * (page_positions * 2);
    piece.scale_bytes = page_positions * 2;
  }
  return piece;
}
/// Values of `slots` positions from `first`.
KERN_DEVICE Piece value_piece(Format format, const std::byte* head, int dims, int first, int slots) {
  const int row = code_bytes_of(format, dims);
  Piece piece{head + first * row, nullptr, slots * row, 0};
  if (in_blocks(format)) {
    const int scales = dims / cache_block * 2; // bytes of a position
    piece.scales = head + page_positions * row + first * scales;
    piece.scale_bytes = slots * scales;
  }
  return piece;
}

/// Starts copying a piece; scales come behind the codes.
KERN_DEVICE void copy_piece(const Piece& piece, unsigned char* stage) {
  for (int at = lane_index() * 16; at < piece.code_bytes; at += warp_lanes * 16)
    copy_async(stage + at, piece.codes + at);
  for (int at = lane_index() * 16; at < piece.scale_bytes; at += warp_lanes * 16)
    copy_async(stage + piece.code_bytes + at, piece.scales + at);
}

/// `count` floats, a multiple of 2, that all lanes want.
template <int count> KERN_DEVICE void load_floats(const float* from, float (&to)[count]) {
  if constexpr (count % 4 == 0) {
    KERN_UNROLL
    for (int i = 0; i < count; i += 4) {
      const float4 four = *reinterpret_cast<const float4*>(from + i);
      to[i] = four.x;
      to[i + 1] = four.y;
      to[i + 2] = four.z;
      to[i + 3] = four.w;
    }
  } else {
    KERN_UNROLL
    for (int i = 0; i < count; i += 2) {
      const float2 two = *reinterpret_cast<const float2*>(from + i);
      to[i] = two.x;
      to[i + 1] = two.y;
    }
  }
}

/// sum += factor * pair, for each query
template <int queries> KERN_DEVICE void add_products(const float* factors, float2 pair, float (&sum)[queries][2]) {
  float factor[queries];
  load_floats(factors, factor);
  KERN_UNROLL
  for (int i = 0; i < queries; ++i) {
    sum[i][0] = fused(factor[i], pair.x, sum[i][0]);
    sum[i][1] = fused(factor[i], pair.y, sum[i][1]);
  }
}

/// Adds what `count` dimensions of a piece contribute to the scores of the lane's two keys. q [count][stride].
template <int queries>
KERN_DEVICE void add_scores(Format format, const unsigned char* stage, int count, const float* q, int stride,
                            float (&sum)[queries][2]) {
  const int lane = lane_index();
  if (format == Format::f16) {
    const auto* keys = reinterpret_cast<const std::uint32_t*>(stage) + lane;
    KERN_UNROLL_BY(8)
    for (int d = 0; d < count; ++d) add_products(q + d * stride, widen_halves(keys[d * (page_positions / 2)]), sum);
  } else if (format == Format::f32) {
    const auto* keys = reinterpret_cast<const float2*>(stage) + lane;
    KERN_UNROLL_BY(4)
    for (int d = 0; d < count; ++d) add_products(q + d * stride, keys[d * (page_positions / 2)], sum);
  } else {
    const auto* codes = reinterpret_cast<const std::uint16_t*>(stage) + lane;
    const bool four_bits = format == Format::q4_0;
    const int rows = four_bits ? cache_block / 2 : cache_block;
    const float2 scale = widen_halves(reinterpret_cast<const std::uint32_t*>(stage + rows * page_positions)[lane]);
    KERN_UNROLL_BY(4)
    for (int d = 0; d < cache_block; ++d) {
      const std::uint32_t pair = codes[d % rows * (page_positions / 2)];
      const std::uint32_t word = four_bits ? pair >> (d < rows ? 0 : 4) & 0x0F0Fu : pair ^ 0x8080u;
      const float less = four_bits ? 8.0f : 128.0f;
      add_products(q + d * stride, {scale.x * byte_less(word, 0, less), scale.y * byte_less(word, 1, less)}, sum);
    }
  }
}

/// Two dimensions of each strip of 64: where a lane reads them, and their numbers at a slot.
template <int strips> struct ValueReader {
  Format format;
  int row;    // bytes of a position's codes
  int scales; // bytes of a position's scales
  int at[strips];
  int scale_at[strips];
  int shift[strips]; // of q4_0

  KERN_DEVICE ValueReader(Format of, int dims) : format(of), row(code_bytes_of(of, dims)) {
    scales = in_blocks(of) ? dims / cache_block * 2 : 0;
    KERN_UNROLL
    for (int s = 0; s < strips; ++s) {
      int dim = s * strip_dims + 2 * lane_index();
      dim = dim < dims ? dim : dims - 2; // something that is there, for nobody
      at[s] = code_bytes_of(of, dim);
      scale_at[s] = dim / cache_block * 2;
      shift[s] = 0;
      if (of == Format::q4_0) {
        at[s] = dim / cache_block * 16 + dim % 16;
        shift[s] = dim % cache_block < 16 ? 0 : 4;
      }
    }
  }
};

/// Adds the weighted values of slots [begin, end) of a piece. weights [slot][queries].
template <Format format, int queries, int strips>
KERN_DEVICE void add_values_of(const ValueReader<strips>& reader, const unsigned char* stage, int slots, int begin,
                               int end, const float* weights, float (&sum)[strips][queries][2]) {
  const unsigned char* scales = stage + slots * reader.row;
  KERN_UNROLL_BY(4)
  for (int slot = begin; slot < end; ++slot) {
    float weight[queries];
    load_floats(weights + slot * queries, weight);
    KERN_UNROLL
    for (int s = 0; s < strips; ++s) {
      const unsigned char* from = stage + slot * reader.row + reader.at[s];
      float2 pair;
      if constexpr (format == Format::f32) {
        pair = *reinterpret_cast<const float2*>(from);
      } else if constexpr (format == Format::f16) {
        pair = widen_halves(*reinterpret_cast<const std::uint32_t*>(from));
      } else {
        const std::uint32_t codes = *reinterpret_cast<const std::uint16_t*>(from);
        const float scale =
            to_float(*reinterpret_cast<const Half*>(scales + slot * reader.scales + reader.scale_at[s]));
        const bool four_bits = format == Format::q4_0;
        const std::uint32_t word = four_bits ? codes >> reader.shift[s] & 0x0F0Fu : codes ^ 0x8080u;
        const float less = four_bits ? 8.0f : 128.0f;
        pair = {scale * byte_less(word, 0, less), scale * byte_less(word, 1, less)};
      }
      KERN_UNROLL
      for (int i = 0; i < queries; ++i) {
        sum[s][i][0] = fused(weight[i], pair.x, sum[s][i][0]);
        sum[s][i][1] = fused(weight[i], pair.y, sum[s][i][1]);
      }
    }
  }
}

template <int queries, int strips>
KERN_DEVICE void add_values(const ValueReader<strips>& reader, const unsigned char* stage, int slots, int begin,
                            int end, const float* weights, float (&sum)[strips][queries][2]) {
  if (reader.format == Format::f16) add_values_of<Format::f16>(reader, stage, slots, begin, end, weights, sum);
  else if (reader.format == Format::f32) add_values_of<Format::f32>(reader, stage, slots, begin, end, weights, sum);
  else if (reader.format == Format::q8_0) add_values_of<Format::q8_0>(reader, stage, slots, begin, end, weights, sum);
  else add_values_of<Format::q4_0>(reader, stage, slots, begin, end, weights, sum);
}

/// Scores [64][queries] of a warp become weights; the maximum and the sum of a query's in the lanes whose number is the
/// query's modulo `queries`. A lane takes slots that are `32 / queries` apart: all of some of the 16 strided sums.
template <int queries> KERN_DEVICE void weigh_scores(float* scores, SlotRange seen, float* maximum, float* total) {
  constexpr int sharers = warp_lanes / queries; // lanes of a query
  constexpr int count = page_positions / sharers;
  constexpr int sums = 16 / sharers;
  static_assert(sharers <= 16);
  const int first = lane_index() / queries;
  float* mine = scores + lane_index();
  float weight[count];
  float top = minus_infinity;
  KERN_UNROLL
  for (int i = 0; i < count; ++i) {
    const int slot = first + i * sharers;
    weight[i] = mine[i * warp_lanes];
    if (slot >= seen.begin && slot < seen.end && weight[i] > top) top = weight[i];
  }
  for (int mask = queries; mask < warp_lanes; mask *= 2) {
    const float other = from_lane_xor(top, mask);
    top = other > top ? other : top;
  }
  float sum[sums] = {};
  KERN_UNROLL
  for (int i = 0; i < count; ++i) {
    const int slot = first + i * sharers;
    weight[i] = slot >= seen.begin && slot < seen.end ? exp_f32(weight[i] - top) : 0.0f;
    mine[i * warp_lanes] = weight[i];
    sum[i % sums] += weight[i];
  }
  KERN_UNROLL
  for (int width = sums / 2; width >= 1; width /= 2)
    for (int i = 0; i < width; ++i) sum[i] += sum[i + width];
  for (int mask = warp_lanes / 2; mask >= queries; mask /= 2) sum[0] += from_lane_xor(sum[0], mask);
  *maximum = top;
  *total = sum[0];
}

/// The chunks of a token that a warp takes, piece by piece: first all keys, then all values of each.
struct PieceWalk {
  const SplitAttention& call;
  const std::int32_t* page_table;
  int kv_head;
  int item = 0;  // chunk * parts + part
  int items = 0; // up to here
  int step = 0;
  int parts = 0;
  int first_chunk = 0; // of the token
  int key_pieces = 0;
  int value_pieces = 0;
  int value_slots = 0; // of a piece
  int index = 0;       // piece of the chunk
  const std::byte* keys = nullptr;
  const std::byte* values = nullptr;

  KERN_DEVICE bool ended() const { return item >= items; }
  KERN_DEVICE int chunk() const { return first_chunk + item / parts; }

  KERN_DEVICE void find_page() {
    const KvView& view = call.cache.view;
    const auto head = static_cast<std::size_t>(kv_head);
    const std::byte* page = call.cache.pool + static_cast<std::size_t>(page_table[chunk()]) * view.page_bytes;
    keys = page + view.keys + head * view.key_stride;
    values = page + view.values + head * view.value_stride;
  }
  /// Starts copying the piece at hand, where there is one, and goes on to the next.
  KERN_DEVICE void copy_next(unsigned char* stage) {
    if (!ended()) {
      const KvView& view = call.cache.view;
      if (index == 0) find_page();
      if (index < key_pieces)
        copy_piece(key_piece(view.key_format, keys, call.shape.key_dim, index * dims_of_piece(view.key_format)), stage);
      else
        copy_piece(value_piece(view.value_format, values, call.shape.value_dim, (index - key_pieces) * value_slots,
                               value_slots),
                   stage);
      if (++index == key_pieces + value_pieces) {
        index = 0;
        item += step;
      }
    }
    commit_copies();
  }
};

/// The ring of a warp: pieces are taken in the order in which they were asked for.
struct PieceRing {
  unsigned char* stages; // [ring_stages][stage_bytes]
  int next = 0;          // stage to be taken

  /// The stage with the next piece, in every lane; the stage that was taken before goes to the piece after.
  KERN_DEVICE const unsigned char* take(PieceWalk& ahead) {
    wait_copies<ring_stages - 2>();
    warp_barrier();
    const unsigned char* stage = stages + next * stage_bytes;
    ahead.copy_next(stages + (next + ring_stages - 1) % ring_stages * stage_bytes);
    next = next + 1 == ring_stages ? 0 : next + 1;
    return stage;
  }
};

/// Where a warp's results go, and its memory.
struct WarpWork {
  const float* q; // [key_dim][q_stride], the block's
  int q_stride;
  float* weights; // [64][queries]
  int first_head; // of those that q holds
  int head_count;
  std::int64_t token;
  int position;
};

/// One chunk, its pieces as they come from the ring, for `queries` of the block's queries from `first`.
template <int queries, int strips>
KERN_DEVICE void attend_chunk(const SplitAttention& call, const WarpWork& work, const PieceWalk& walk, int first,
                              PieceRing& ring, PieceWalk& ahead) {
  const AttentionShape& shape = call.shape;
  const KvView& view = call.cache.view;
  const int lane = lane_index();
  float score[queries][2] = {};
  for (int piece = 0; piece < walk.key_pieces; ++piece) {
    const unsigned char* stage = ring.take(ahead);
    const int all = dims_of_piece(view.key_format);
    const int left = shape.key_dim - piece * all;
    add_scores<queries>(view.key_format, stage, left < all ? left : all, work.q + piece * all * work.q_stride + first,
                        work.q_stride, score);
  }
  KERN_UNROLL
  for (int key = 0; key < 2; ++key)
    for (int i = 0; i < queries; ++i) work.weights[(2 * lane + key) * queries + i] = score[i][key] * shape.scale;
  warp_barrier();
  const SlotRange seen = SlotRange::seen(work.position, shape.window, walk.chunk());
  float maximum;
  float total;
  weigh_scores<queries>(work.weights, seen, &maximum, &total);

  float o[strips][queries][2] = {};
  const ValueReader<strips> reader(view.value_format, shape.value_dim);
  for (int piece = 0; piece < walk.value_pieces; ++piece) {
    const unsigned char* stage = ring.take(ahead); // its barrier: the weights are there
    const int slot = piece * walk.value_slots;
    const int begin = seen.begin > slot ? seen.begin - slot : 0;
    const int end = seen.end - slot < walk.value_slots ? seen.end - slot : walk.value_slots;
    add_values(reader, stage, walk.value_slots, begin, end, work.weights + slot * queries, o);
  }
  const int index = walk.chunk() - walk.first_chunk;
  const ChunkResults& results = call.results;
  if (lane < queries && first + lane < work.head_count) {
    const std::int64_t to = results.entry(work.token, shape.heads, work.first_head + first + lane) + index;
    results.m[to] = maximum;
    results.l[to] = total;
  }
  KERN_UNROLL
  for (int i = 0; i < queries; ++i) {
    if (first + i >= work.head_count) break;
    const std::int64_t entry = results.entry(work.token, shape.heads, work.first_head + first + i) + index;
    KERN_UNROLL
    for (int s = 0; s < strips; ++s) {
      const int dim = s * strip_dims + 2 * lane;
      if (dim < shape.value_dim)
        *reinterpret_cast<float2*>(results.o + entry * results.o_stride + dim) = {o[s][i][0], o[s][i][1]};
    }
  }
}

/// All chunks of a warp, whose first pieces are on their way.
template <int queries, int strips>
KERN_DEVICE void attend_chunks(const SplitAttention& call, const WarpWork& work, PieceWalk& walk, PieceRing& ring,
                               PieceWalk& ahead) {
  for (; !walk.ended(); walk.item += walk.step)
    attend_chunk<queries, strips>(call, work, walk, walk.item % walk.parts * queries, ring, ahead);
}

/// Shared memory of a warp: its weights and its ring.
KERN_INLINE constexpr int warp_floats(int queries) {
  return page_positions * queries + ring_stages * stage_bytes / static_cast<int>(sizeof(float));
}

/// Blocks: x KV head and up to `queries` of its heads, y split, z token.
template <int queries, int strips>
__global__ void __launch_bounds__(split_threads, 3) split_attention(SplitAttention call) {
  wait_for_inputs();
  const AttentionShape& shape = call.shape;
  const KvView& view = call.cache.view;
  const int group = shape.heads / shape.kv_heads;
  const int tiles = (group + queries - 1) / queries;
  const int first_of_group = block_x() % tiles * queries;

  WarpWork work;
  work.token = block_z();
  work.position = call.step.position[block_z()];
  work.first_head = block_x() / tiles * group + first_of_group;
  work.head_count = group - first_of_group < queries ? group - first_of_group : queries;

  PieceWalk walk{call, page_table_of(call.step, call.cache.group, call.step.sequence[block_z()]), block_x() / tiles};
  walk.first_chunk = page_of(first_visible(work.position, shape.window));
  const int chunks = page_of(work.position) - walk.first_chunk + 1;
  walk.step = grid_y() * split_warps;
  // Short texts have warps to spare: then a warp takes a few of the queries only.
  const int parts = (work.head_count + few_queries - 1) / few_queries;
  const bool few = chunks * parts <= walk.step || parts == 1;
  walk.parts = few ? parts : 1;
  walk.items = chunks * walk.parts;
  if (block_y() >= walk.items) return;
  walk.item = warp_index() * grid_y() + block_y();
  walk.key_pieces = (shape.key_dim + dims_of_piece(view.key_format) - 1) / dims_of_piece(view.key_format);
  walk.value_slots = slots_of_piece(view.value_format, shape.value_dim);
  walk.value_pieces = page_positions / walk.value_slots;

  auto* q = &shared_memory<float>();
  work.q = q;
  work.q_stride = queries;
  work.weights = q + shape.key_dim * queries + warp_index() * warp_floats(queries);
  PieceRing ring{reinterpret_cast<unsigned char*>(work.weights + page_positions * queries)};
  PieceWalk ahead = walk;
  for (int stage = 0; stage < ring_stages - 1; ++stage) ahead.copy_next(ring.stages + stage * stage_bytes);
  for (int i = 0; i < queries; ++i)
    for (int d = thread_index(); d < shape.key_dim; d += split_threads)
      q[d * queries + i] =
          i < work.head_count ? call.q[(work.token * shape.heads + work.first_head + i) * shape.key_dim + d] : 0.0f;
  block_barrier();
  if (few) attend_chunks<few_queries, strips>(call, work, walk, ring, ahead);
  else attend_chunks<queries, strips>(call, work, walk, ring, ahead);
}

/// Query heads of a KV head that a block takes: 4 or 8.
int heads_of_block(const AttentionShape& shape) { return shape.heads / shape.kv_heads <= 4 ? 4 : 8; }

/// Enough blocks for three on every multiprocessor, as long as there are chunks for them.
int splits_of(const DeviceInfo& info, const AttentionShape& shape, int blocks, int tokens, int pages) {
  const int parts = std::min(heads_of_block(shape), shape.heads / shape.kv_heads);
  const std::int64_t wanted = std::int64_t{3} * info.multiprocessors / (static_cast<std::int64_t>(blocks) * tokens);
  return static_cast<int>(std::clamp<std::int64_t>(wanted, 1, std::int64_t{pages} * parts));
}

template <int queries, int strips> void launch_chunks(Device& device, const SplitAttention& call) {
  const AttentionShape& shape = call.shape;
  const int tiles = (shape.heads / shape.kv_heads + queries - 1) / queries;
  const int blocks = shape.kv_heads * tiles;
  const int splits = splits_of(device.info(), shape, blocks, call.step.tokens, call.step.pages_per_sequence);
  const int floats = shape.key_dim * queries + split_warps * warp_floats(queries);
  launch(device, split_attention<queries, strips>,
         {static_cast<unsigned>(blocks), static_cast<unsigned>(splits), static_cast<unsigned>(call.step.tokens)},
         split_threads, static_cast<std::size_t>(floats) * sizeof(float), call);
}

template <int queries> void launch_strips(Device& device, const SplitAttention& call) {
  switch ((call.shape.value_dim + strip_dims - 1) / strip_dims) {
  case 1: return launch_chunks<queries, 1>(device, call);
  case 2: return launch_chunks<queries, 2>(device, call);
  case 3: return launch_chunks<queries, 3>(device, call);
  default: return launch_chunks<queries, 4>(device, call);
  }
}

} // namespace

std::size_t split_attention_bytes(const AttentionShape& shape, int tokens, int pages_per_sequence) {
  return ChunkResults::bytes(shape, tokens, pages_per_sequence);
}

void launch_split_attention(Device& device, const AttentionShape& shape, const KvLayer& cache, const StepInputs& step,
                            const float* q, float* out, std::byte* scratch) {
  assert(shape.value_dim <= most_head_dim && shape.value_dim % 2 == 0 && shape.key_dim <= most_head_dim);
  const ChunkResults results(scratch, shape, step.tokens, step.pages_per_sequence);
  const SplitAttention call{shape, cache, step, q, results};
  if (heads_of_block(shape) == 4) launch_strips<4>(device, call);
  else launch_strips<8>(device, call);
  launch_merge_chunks(device, shape, step, results, out);
}

} // namespace kern::cuda
