// Attention of prompts: a block takes up to 64 queries of one KV head (rows of a sequence times the heads that share
// its keys) along the chunks once.
//
// Scores and weighted values are the same product, [count][queries] times [count][64], and a thread has 8 by 4 of its
// results in registers, each the sum of one thread in the canonical order: 32 multiply-adds for three 16-byte loads
// from shared memory, which are 6 of the 8 clocks that the multiply-adds of four warps take. Weights are 8% of the
// work. Pieces of 32 dimensions (or slots) are widened to floats in two buffers; while one is used, the bytes of the
// next are on their way to registers.
#include "kernels/cuda/attention.h"
#include "kernels/cuda/cache_octet.h"
#include "kernels/cuda/kernels.h"

#include <cassert>

namespace kern::cuda {

namespace {

constexpr int thread_queries = 8;
constexpr int thread_columns = 4;
constexpr int tile_columns = page_positions; // keys, or dimensions of a strip
constexpr int octets_of_thread = 2;

struct TileAttention {
  AttentionShape shape;
  KvLayer cache;
  StepInputs step;
  const float* q; // [n][heads * key_dim]
  float* out;     // [n][heads * value_dim]
  int tiles;      // of a KV head
};

/// What becomes of a query's running values.
enum TileMode { keep_values, start_values, merge_values };

/// Shared memory of a block of `queries` queries and twice as many threads.
struct TileShared {
  float* q;            // [key_dim][queries]
  float* weights;      // [64][queries + 16]: scores, then weights; two halves of a warp read rows without conflict
  float* pieces;       // [2][queries / 2][64]
  float* before;       // [queries]: factor of the running values
  float* added;        // [queries]: factor of a chunk's
  float* l;            // [queries]
  int* mode;           // [queries]
  std::uint32_t* seen; // [2][queries]: bit i, slot i of the first or second half of a chunk

  static std::size_t bytes(int key_dim, int queries) {
    return static_cast<std::size_t>(queries * key_dim + page_positions * (queries + 16) + queries * tile_columns +
                                    6 * queries) *
           sizeof(float);
  }
  KERN_DEVICE TileShared(float* memory, int key_dim, int queries) {
    q = memory;
    weights = q + key_dim * queries;
    pieces = weights + page_positions * (queries + 16);
    before = pieces + queries * tile_columns;
    added = before + queries;
    l = added + queries;
    mode = reinterpret_cast<int*>(l + queries);
    seen = reinterpret_cast<std::uint32_t*>(mode + queries);
  }
};

/// Queries of a tile that belong to one sequence, and which of them and of the columns are this thread's.
struct TileWalk {
  const TileAttention& call;
  TileShared shared;
  int queries;    // room of the tile
  int piece_rows; // dimensions or slots of a piece
  int kv_head;
  int group;       // heads of a KV head
  int first_query; // query i: head (first_query + i) % group of row (first_query + i) / group
  int count;
  int first_position; // of the first row, and of the last
  int last_position;
  const std::int32_t* page_table;
  int my_query;  // first of eight
  int my_column; // first of four

  KERN_DEVICE int row(int query) const { return (first_query + query) / group; }
  KERN_DEVICE std::int64_t row_and_head(int query) const {
    return static_cast<std::int64_t>(row(query)) * call.shape.heads + kv_head * group + (first_query + query) % group;
  }
  KERN_DEVICE int key_pieces() const { return (call.shape.key_dim + piece_rows - 1) / piece_rows; }
  KERN_DEVICE int value_pieces() const { return page_positions / piece_rows; } // of a strip

  KERN_DEVICE HeadCells cells(std::int32_t page, bool is_key) const {
    const KvView& view = call.cache.view;
    const std::byte* data = call.cache.pool + static_cast<std::size_t>(page) * view.page_bytes;
    const auto head = static_cast<std::size_t>(kv_head);
    if (is_key) return {data + view.keys + head * view.key_stride, view.key_format, true, call.shape.key_dim};
    return {data + view.values + head * view.value_stride, view.value_format, false, call.shape.value_dim};
  }
};

/// A thread's share of a piece on its way.
struct PieceInFlight {
  HeadCells cells;
  int row; // of the first octet; the others' are block_threads() / 8 further each
  int column;
  Octet octets[octets_of_thread];
};

/// Starts reading piece `index` of a page: first those of the keys, then those of each strip of values.
KERN_DEVICE void read_piece(const TileWalk& walk, std::int32_t page, int index, PieceInFlight& piece) {
  const int key_pieces = walk.key_pieces();
  const bool is_key = index < key_pieces;
  const int place = is_key ? index : (index - key_pieces) % walk.value_pieces();
  piece.cells = walk.cells(page, is_key);
  piece.row = place * walk.piece_rows + thread_index() / 8;
  piece.column = thread_index() % 8 * 8;
  if (!is_key) piece.column += (index - key_pieces) / walk.value_pieces() * tile_columns;
  KERN_UNROLL
  for (int i = 0; i < octets_of_thread; ++i)
    piece.octets[i] = load_octet(piece.cells, piece.row + i * (block_threads() / 8), piece.column);
}

/// Writes it as floats [piece_rows][64].
KERN_DEVICE void write_piece(const PieceInFlight& piece, float* to) {
  KERN_UNROLL
  for (int i = 0; i < octets_of_thread; ++i) {
    const int row = i * (block_threads() / 8);
    float number[8];
    widen_octet(piece.cells, piece.octets[i], piece.row + row, piece.column, number);
    auto* out = reinterpret_cast<float4*>(to + (row + thread_index() / 8) * tile_columns + piece.column % tile_columns);
    out[0] = {number[0], number[1], number[2], number[3]};
    out[1] = {number[4], number[5], number[6], number[7]};
  }
}

using TileSums = float[thread_queries][thread_columns];

KERN_DEVICE void load_four(const float* from, float* to) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  to[0] = four.x;
  to[1] = four.y;
  to[2] = four.z;
  to[3] = four.w;
}

/// sum += the products of `count` rows of a (eight numbers, `stride` apart) and of b (four numbers, 64 apart). masked:
/// row i counts for a query only where bit i of its word is set.
template <bool masked>
KERN_DEVICE void multiply_rows(const float* a, int stride, const float* b, int count,
                               const std::uint32_t (&seen)[thread_queries], TileSums& sum) {
  KERN_UNROLL_BY(masked ? 2 : 4)
  for (int row = 0; row < count; ++row) {
    float left[thread_queries];
    float right[thread_columns];
    load_four(a + row * stride, left);
    load_four(a + row * stride + 4, left + 4);
    load_four(b + row * tile_columns, right);
    KERN_UNROLL
    for (int i = 0; i < thread_queries; ++i) {
      const bool counts = !masked || (seen[i] >> row & 1u) != 0;
      KERN_UNROLL
      for (int j = 0; j < thread_columns; ++j)
        if (counts) sum[i][j] = fused(left[i], right[j], sum[i][j]);
    }
  }
}

/// A word whose bits [begin, end) are set, as far as it has them.
KERN_DEVICE std::uint32_t bits_between(int begin, int end) {
  const auto below = [](int count) { return count <= 0 ? 0u : count >= 32 ? 0xFFFFFFFFu : (1u << count) - 1u; };
  return below(end) & ~below(begin);
}

/// The state of a query, in two threads of a warp.
struct QueryState {
  int query;
  int position;
  float m = 0.0f; // running maximum
  float l = 0.0f; // running denominator
};

/// Scores of a query become weights, and its state takes the chunk in: by two threads, of which one has the even and
/// one the odd slots, so each half of the 16 strided sums.
KERN_DEVICE void weigh_query(const TileWalk& walk, int chunk, QueryState& state) {
  constexpr int count = page_positions / 2;
  constexpr int sums = 8;
  const int window = walk.call.shape.window;
  const int half = lane_index() / 16;
  const SlotRange seen = SlotRange::seen(state.position, window, chunk);
  const int stride = walk.queries + 16;
  float* mine = walk.shared.weights + half * stride + state.query;
  float top = minus_infinity;
  KERN_UNROLL_BY(8)
  for (int i = 0; i < count; ++i) {
    const int slot = 2 * i + half;
    const float score = mine[2 * i * stride];
    if (slot >= seen.begin && slot < seen.end && score > top) top = score;
  }
  const float other = from_lane_xor(top, 16);
  top = other > top ? other : top;
  float sum[sums] = {};
  for (int turn = 0; turn < count / sums; ++turn) {
    KERN_UNROLL
    for (int i = 0; i < sums; ++i) {
      const int slot = 2 * (turn * sums + i) + half;
      float& at = mine[2 * (turn * sums + i) * stride];
      const float weight = slot >= seen.begin && slot < seen.end ? exp_f32(at - top) : 0.0f;
      at = weight;
      sum[i] += weight;
    }
  }
  KERN_UNROLL
  for (int width = sums / 2; width >= 1; width /= 2)
    for (int i = 0; i < width; ++i) sum[i] += sum[i + width];
  const float total = sum[0] + from_lane_xor(sum[0], 16);

  int mode = keep_values;
  float before = 0.0f;
  float added = 0.0f;
  if (seen.begin < seen.end) {
    if (chunk == page_of(first_visible(state.position, window))) {
      mode = start_values;
      state.m = top;
      state.l = total;
    } else {
      mode = merge_values;
      const float most = top > state.m ? top : state.m;
      before = exp_f32(state.m - most);
      added = exp_f32(top - most);
      state.m = most;
      state.l = fused(state.l, before, total * added);
    }
  }
  if (half != 0) return;
  walk.shared.mode[state.query] = mode;
  walk.shared.before[state.query] = before;
  walk.shared.added[state.query] = added;
  for (int word = 0; word < 2; ++word)
    walk.shared.seen[word * walk.queries + state.query] = bits_between(seen.begin - word * 32, seen.end - word * 32);
}

/// Scores of the thread's queries and keys, where they become weights.
KERN_DEVICE void write_scores(const TileWalk& walk, const TileSums& sum) {
  const float scale = walk.call.shape.scale;
  KERN_UNROLL
  for (int j = 0; j < thread_columns; ++j) {
    float* to = walk.shared.weights + (walk.my_column + j) * (walk.queries + 16) + walk.my_query;
    KERN_UNROLL
    for (int i = 0; i < thread_queries; i += 4)
      *reinterpret_cast<float4*>(to + i) = {sum[i][j] * scale, sum[i + 1][j] * scale, sum[i + 2][j] * scale,
                                            sum[i + 3][j] * scale};
  }
}

/// A chunk's weighted values into the running ones.
KERN_DEVICE void merge_strip(const TileWalk& walk, const TileSums& o, TileSums& total) {
  KERN_UNROLL
  for (int i = 0; i < thread_queries; ++i) {
    const int mode = walk.shared.mode[walk.my_query + i];
    const float before = walk.shared.before[walk.my_query + i];
    const float added = walk.shared.added[walk.my_query + i];
    KERN_UNROLL
    for (int j = 0; j < thread_columns; ++j) {
      const float merged = fused(total[i][j], before, o[i][j] * added);
      total[i][j] = mode == merge_values ? merged : mode == start_values ? o[i][j] : total[i][j];
    }
  }
}

KERN_DEVICE void clear_sums(TileSums& sum) {
  KERN_UNROLL
  for (int i = 0; i < thread_queries; ++i)
    for (int j = 0; j < thread_columns; ++j) sum[i][j] = 0.0f;
}

/// Queries into shared memory, a query a lane; places without one are zeros.
KERN_DEVICE void load_queries(const TileWalk& walk) {
  const int query = thread_index() % walk.queries;
  const int key_dim = walk.call.shape.key_dim;
  const float* from = query < walk.count ? walk.call.q + walk.row_and_head(query) * key_dim : nullptr;
  for (int d = thread_index() / walk.queries * 2; d < key_dim; d += 4) {
    const float2 pair = from ? *reinterpret_cast<const float2*>(from + d) : float2{0.0f, 0.0f};
    walk.shared.q[d * walk.queries + query] = pair.x;
    walk.shared.q[(d + 1) * walk.queries + query] = pair.y;
  }
}

template <int strips> KERN_DEVICE void write_values(const TileWalk& walk, const TileSums (&totals)[strips]) {
  const int value_dim = walk.call.shape.value_dim;
  KERN_UNROLL
  for (int i = 0; i < thread_queries; ++i) {
    const int query = walk.my_query + i;
    if (query >= walk.count) continue;
    const float l = walk.shared.l[query];
    float* out = walk.call.out + walk.row_and_head(query) * value_dim;
    KERN_UNROLL
    for (int s = 0; s < strips; ++s) {
      KERN_UNROLL
      for (int j = 0; j < thread_columns; j += 2) {
        const int dim = s * tile_columns + walk.my_column + j;
        if (dim < value_dim)
          *reinterpret_cast<float2*>(out + dim) = {divide(totals[s][i][j], l), divide(totals[s][i][j + 1], l)};
      }
    }
  }
}

/// One piece of a chunk, which is in `from`.
template <int strips>
KERN_DEVICE void use_piece(const TileWalk& walk, int chunk, int index, const float* from, QueryState& state,
                           TileSums& sum, TileSums (&totals)[strips]) {
  const TileShared& shared = walk.shared;
  const int key_pieces = walk.key_pieces();
  const float* columns = from + walk.my_column;
  std::uint32_t seen[thread_queries]; // by the queries, where not all is
  if (index < key_pieces) {
    const int first = index * walk.piece_rows;
    const int left = walk.call.shape.key_dim - first;
    multiply_rows<false>(shared.q + first * walk.queries + walk.my_query, walk.queries, columns,
                         left < walk.piece_rows ? left : walk.piece_rows, seen, sum);
    if (index + 1 < key_pieces) return;
    write_scores(walk, sum);
    block_barrier();
    weigh_query(walk, chunk, state);
    block_barrier();
    clear_sums(sum);
    return;
  }
  const int place = (index - key_pieces) % walk.value_pieces();
  const int strip = (index - key_pieces) / walk.value_pieces();
  const int first = place * walk.piece_rows;
  const int stride = walk.queries + 16;
  const float* weights = shared.weights + first * stride + walk.my_query;
  const int begin = chunk * page_positions;
  const bool all_seen = begin + page_positions - 1 <= walk.first_position &&
                        first_visible(walk.last_position, walk.call.shape.window) <= begin;
  // A warp has 32 columns; those behind the last dimension are left to the others' time.
  const bool wanted = strip * tile_columns + walk.my_column / 32 * 32 < walk.call.shape.value_dim;
  if (wanted && all_seen) {
    multiply_rows<false>(weights, stride, columns, walk.piece_rows, seen, sum);
  } else if (wanted) {
    KERN_UNROLL
    for (int i = 0; i < thread_queries; ++i)
      seen[i] = shared.seen[first / 32 * walk.queries + walk.my_query + i] >> first % 32;
    multiply_rows<true>(weights, stride, columns, walk.piece_rows, seen, sum);
  }
  if (place + 1 < walk.value_pieces()) return;
  KERN_UNROLL
  for (int s = 0; s < strips; ++s)
    if (s == strip) merge_strip(walk, sum, totals[s]);
  clear_sums(sum);
}

/// All chunks of the queries of one sequence.
template <int strips> KERN_DEVICE void attend_queries(const TileWalk& walk) {
  const TileShared& shared = walk.shared;
  const int window = walk.call.shape.window;
  const int last_chunk = page_of(walk.last_position);
  int chunk = page_of(first_visible(walk.first_position, window));
  QueryState state;
  state.query = lane_index() % 16 + warp_index() * 16;
  state.position = walk.call.step.position[walk.row(state.query < walk.count ? state.query : walk.count - 1)];
  load_queries(walk);

  TileSums sum;
  TileSums totals[strips];
  clear_sums(sum);
  KERN_UNROLL
  for (int s = 0; s < strips; ++s) clear_sums(totals[s]);
  const int pieces = walk.key_pieces() + strips * walk.value_pieces();
  const int piece_floats = walk.piece_rows * tile_columns;
  PieceInFlight next;
  std::int32_t page = walk.page_table[chunk];
  read_piece(walk, page, 0, next);
  write_piece(next, shared.pieces);
  block_barrier();
  int buffer = 0;
  for (; chunk <= last_chunk; ++chunk) {
    const std::int32_t next_page = chunk < last_chunk ? walk.page_table[chunk + 1] : page;
    for (int index = 0; index < pieces; ++index) {
      const bool last = index + 1 == pieces;
      read_piece(walk, last ? next_page : page, last ? 0 : index + 1, next);
      use_piece<strips>(walk, chunk, index, shared.pieces + buffer * piece_floats, state, sum, totals);
      buffer = 1 - buffer;
      write_piece(next, shared.pieces + buffer * piece_floats);
      block_barrier();
    }
    page = next_page;
  }
  if (lane_index() < 16) shared.l[state.query] = state.l;
  block_barrier();
  write_values<strips>(walk, totals);
}

/// Blocks: KV heads of the last tile first, which has the most chunks.
template <int strips> __global__ void __launch_bounds__(128, strips == 1 ? 3 : 2) tile_attention(TileAttention call) {
  wait_for_inputs();
  const AttentionShape& shape = call.shape;
  const int queries = block_threads() / 2;
  const int group = shape.heads / shape.kv_heads;
  const int first = (call.tiles - 1 - block_x() / shape.kv_heads) * queries;
  const int all = call.step.tokens * group;
  const int end = first + queries < all ? first + queries : all;

  TileWalk walk{call,
                TileShared(&shared_memory<float>(), shape.key_dim, queries),
                queries,
                queries / 2,
                block_x() % shape.kv_heads,
                group,
                0,
                0,
                0,
                0,
                nullptr,
                0,
                0};
  const int warps_of_queries = queries / 32;
  walk.my_query = (warp_index() % warps_of_queries * 4 + lane_index() / 8) * thread_queries;
  walk.my_column = (warp_index() / warps_of_queries * 8 + lane_index() % 8) * thread_columns;
  // Rows of a sequence stand together, so most tiles have one.
  const std::int32_t* sequence = call.step.sequence;
  const int last_row = (end - 1) / group;
  for (int begin = first; begin < end; begin += walk.count) {
    const int row = begin / group;
    int next_row = last_row + 1;
    if (sequence[row] != sequence[last_row])
      for (next_row = row + 1; sequence[next_row] == sequence[row];) ++next_row;
    walk.first_query = begin;
    walk.count = (next_row * group < end ? next_row * group : end) - begin;
    walk.first_position = call.step.position[row];
    walk.last_position = call.step.position[next_row - 1];
    walk.page_table = page_table_of(call.step, call.cache.group, sequence[row]);
    attend_queries<strips>(walk);
  }
}

template <int strips> void launch_tiles(Device& device, TileAttention call) {
  // Half as many queries where their tile would take more of a multiprocessor's shared memory than a quarter to a half.
  const std::size_t room = std::size_t{device.info().major < 8 ? 64u : 96u} << 10;
  const int queries = TileShared::bytes(call.shape.key_dim, 64) <= room ? 64 : 32;
  const int all = call.step.tokens * (call.shape.heads / call.shape.kv_heads);
  call.tiles = (all + queries - 1) / queries;
  launch(device, tile_attention<strips>, {static_cast<unsigned>(call.tiles * call.shape.kv_heads)},
         static_cast<unsigned>(2 * queries), TileShared::bytes(call.shape.key_dim, queries), call);
}

} // namespace

void launch_tile_attention(Device& device, const AttentionShape& shape, const KvLayer& cache, const StepInputs& step,
                           const float* q, float* out) {
  assert(shape.value_dim <= most_head_dim && shape.value_dim % 2 == 0 && shape.key_dim <= most_head_dim &&
         shape.key_dim % 2 == 0);
  const TileAttention call{shape, cache, step, q, out, 0};
  switch ((shape.value_dim + tile_columns - 1) / tile_columns) {
  case 1: return launch_tiles<1>(device, call);
  case 2: return launch_tiles<2>(device, call);
  case 3: return launch_tiles<3>(device, call);
  default: return launch_tiles<4>(device, call);
  }
}

} // namespace kern::cuda
