// Attention over the pages of a sequence: a tile of query rows and the query heads that share one KV head walk over the
// chunks of 64 keys once, so that a chunk is read from memory and widened once for all of them. No buffer grows with
// the length of the text.

// A few queries times a few vectors of positions (or dimensions) share every load.
constexpr int query_tile = 6;     // of rows widened before
constexpr int direct_queries = 8; // of rows that are widened as they are loaded
/// 24 sums of 32 registers, 10 loads for 24 fma; of 16 registers 12 sums, 8 loads for 12 fma.
constexpr int attention_vectors(int queries) {
  constexpr int most = lane_count == 16 ? 24 : 12;
  return queries * 4 <= most ? 4 : queries * 2 <= most ? 2 : 1;
}

KERN_INLINE Floats load_numbers(const float* from) { return load_vector<Floats>(from); }
KERN_INLINE Floats load_numbers(const Half* from) { return load_halves(reinterpret_cast<const std::uint16_t*>(from)); }

/// Keys [key_dim][64] or values [64][value_stride] of a chunk, from the `lane`-th of each on.
template <class Number> struct ChunkRows {
  const Number* data;
  int stride;
  int count;          // of rows
  const Number* next; // of the next chunk, where numbers are read from the cache's pages

  KERN_INLINE ChunkRows from(int lane) const { return {data + lane, stride, count, next + lane * count}; }
};

/// sums [T][stride], `V` vectors each: + the sum over i in [begin, end) of factor(i, t) * row i. The factor of query t
/// at step i is factors[i + t * next]. Continues what is in sums unless `first`.
template <int T, int V, class Number>
KERN_INLINE void accumulate_tile(const float* factors, int next, const ChunkRows<Number>& rows, int begin, int end,
                                 bool first, float* sums, int stride) {
  Floats sum[T * V];
  unroll<T * V>([&](auto i) __attribute__((always_inline)) {
    sum[i] = first ? Floats{} : load_vector<Floats>(sums + i / V * stride + i % V * lane_count);
  });
  for (int i = begin; i < end; ++i) {
    const Number* from = rows.data + i * rows.stride;
    Floats row[V];
    unroll<V>([&](auto v) __attribute__((always_inline)) { row[v] = load_numbers(from + v * lane_count); });
    if constexpr (sizeof(Number) == 2)
      for (int line = 0; line < V * lane_count; line += 32)
        prefetch_second_level(rows.next + i * V * lane_count + line);
    unroll<T>([&](auto t) __attribute__((always_inline)) {
      const Floats factor = every_lane(factors[i + t * next]);
      unroll<V>([&](auto v)
                    __attribute__((always_inline)) { sum[t * V + v] = fused_lanes(factor, row[v], sum[t * V + v]); });
    });
  }
  unroll<T * V>([&](auto i) __attribute__((always_inline)) {
    store_vector(sums + i / V * stride + i % V * lane_count, sum[i]);
  });
}

/// The same for any `width` that is a multiple of 16.
template <int T, class Number>
[[gnu::noinline]] void accumulate_rows(const float* factors, int next, const ChunkRows<Number>& rows, int begin,
                                       int end, bool first, float* sums, int stride, int width) {
  constexpr int vectors = attention_vectors(T);
  int lane = 0;
  for (; lane + vectors * lane_count <= width; lane += vectors * lane_count)
    accumulate_tile<T, vectors>(factors, next, rows.from(lane), begin, end, first, sums + lane, stride);
  for (; lane < width; lane += lane_count)
    accumulate_tile<T, 1>(factors, next, rows.from(lane), begin, end, first, sums + lane, stride);
}

template <class Number>
using AccumulateRows = void (*)(const float*, int, const ChunkRows<Number>&, int, int, bool, float*, int, int);

/// For 1..direct_queries queries.
template <class Number> AccumulateRows<Number> accumulate_rows_for(int queries) {
  AccumulateRows<Number> chosen = nullptr;
  unroll<direct_queries>([&](auto t) {
    if (t + 1 == queries) chosen = accumulate_rows<t + 1, Number>;
  });
  return chosen;
}

/// Reduces 64 dot products, times `scale`, of slots [begin, end) against their own maximum; the others, which may be
/// anything, become weight 0. Masks (none where `all` slots are seen), not shorter loops, so that lanes stay full.
template <bool all>
KERN_INLINE void chunk_weights(float* scores, float scale, int begin, int end, float* maximum, float* sum) {
  constexpr int vectors = page_positions / lane_count;
  const Floats lowest = bits_to_floats(every_lane(0xFF800000u)); // minus infinity
  Ints slot;
  for (int i = 0; i < lane_count; ++i) slot[i] = i;
  Floats score[vectors];
  Ints seen[vectors];
  Floats tops = lowest;
  unroll<vectors>([&](auto v) __attribute__((always_inline)) {
    const Ints at = slot + v * lane_count;
    seen[v] = (at >= begin) & (at < end);
    score[v] = load_vector<Floats>(scores + v * lane_count) * scale;
    const Floats candidate = all ? score[v] : seen[v] ? score[v] : lowest;
    tops = larger(candidate, tops);
  });
  const float m = largest_of(tops);
  Floats lane[lanes / lane_count] = {};
  unroll<vectors>([&](auto v) __attribute__((always_inline)) {
    const Floats each = exp_lanes<true>(score[v] - m); // slots that aren't seen: anything
    const Floats weight = all ? each : seen[v] ? each : Floats{};
    store_vector(scores + v * lane_count, weight);
    lane[v % (lanes / lane_count)] += weight;
  });
  *maximum = m;
  *sum = tree_of_lanes(lane);
}

/// First position a query sees.
KERN_INLINE int first_visible(int position, int window) {
  return window > 0 && position >= window ? position - window + 1 : 0;
}

struct AttentionScratch {
  float* keys;    // [key_dim][64]
  float* values;  // [64][value_stride]
  float* queries; // [queries][key_dim]
  float* scores;  // [queries][64]
  float* chunk;   // [8][value_stride]
  float* totals;  // [queries][value_stride]: running weighted values
  // [queries] each, rounded up to 16
  float* m;      // running maximum
  float* l;      // running denominator
  float* next_m; // of the chunk at hand
  float* next_l;
  float* before; // what the running values, and the chunk's, are multiplied by
  float* added;
};

/// The queries of a share: query i is head kv_head * group + i % group of row row_begin + i / group.
struct AttentionWalk {
  const AttentionShare& share;
  int group;
  int queries;
  int value_stride; // value_dim rounded up to 16
  bool direct;      // few queries: halves are widened as they are loaded, up to twice, instead of once before
  int tile;         // queries at a time
  // Of the chunk at hand, for all queries:
  bool all_seen = false;  // every slot is seen
  bool continued = false; // and something before it
  AttentionScratch scratch;

  KERN_INLINE explicit AttentionWalk(const AttentionShare& from) : share(from) {
    const AttentionShape& shape = share.shape;
    group = shape.heads / shape.kv_heads;
    queries = (share.row_end - share.row_begin) * group;
    value_stride = padded(shape.value_dim);
    const KvView& view = share.cache.view;
    direct = queries <= 2 * direct_queries && view.key_format == Format::f16 && view.value_format == Format::f16 &&
             shape.value_dim == value_stride;
    tile = query_tile;
    if (queries <= direct_queries) tile = queries;
    else if (direct) tile = (queries + 1) / 2;
    scratch.keys = share.scratch;
    scratch.values = scratch.keys + page_positions * shape.key_dim;
    scratch.queries = scratch.values + page_positions * value_stride;
    scratch.scores = scratch.queries + queries * padded(shape.key_dim);
    scratch.chunk = scratch.scores + page_positions * queries;
    scratch.totals = scratch.chunk + direct_queries * value_stride;
    float* states = scratch.totals + queries * value_stride;
    for (float** state : {&scratch.m, &scratch.l, &scratch.next_m, &scratch.next_l, &scratch.before, &scratch.added}) {
      *state = states;
      states += padded(queries);
    }
  }
  KERN_INLINE static int padded(int dim) { return (dim + 15) / 16 * 16; }

  KERN_INLINE int position(int query) const { return share.positions[share.row_begin + query / group]; }
  KERN_INLINE std::ptrdiff_t row_and_head(int query) const {
    return static_cast<std::ptrdiff_t>(share.row_begin + query / group) * share.shape.heads + share.kv_head * group +
           query % group;
  }
  /// Looks at a chunk as a whole.
  KERN_INLINE void enter(int chunk, int least_position, int most_position) {
    const int first = first_visible(most_position, share.shape.window);
    all_seen = first <= chunk * page_positions && least_position >= (chunk + 1) * page_positions - 1;
    continued = all_seen && first < chunk * page_positions;
  }
  /// Slots of the chunk that a query sees; none where begin >= end.
  KERN_INLINE void visible(int query, int chunk, int* begin, int* end) const {
    *begin = 0;
    *end = page_positions;
    if (all_seen) return;
    const int at = position(query);
    const int first = first_visible(at, share.shape.window) - chunk * page_positions;
    const int last = at - chunk * page_positions + 1;
    *begin = first > 0 ? first : 0;
    *end = last < page_positions ? last : page_positions;
  }
  /// Whether a query sees nothing before a chunk.
  KERN_INLINE bool begins(int query, int chunk) const {
    return !continued && chunk == page_of(first_visible(position(query), share.shape.window));
  }
};

/// The next chunk's keys, or values, brought into the second-level cache a few lines at a time after every piece of
/// work on this one's: all at once would hold up the work until most of them are there.
class NextLines {
public:
  NextLines() = default; // none
  KERN_INLINE NextLines(const AttentionWalk& walk, const std::byte* from, std::size_t bytes)
      : left_(static_cast<int>(bytes / line)), at_(from) {
    const int pieces = walk.queries + (walk.queries + walk.tile - 1) / walk.tile;
    step_ = left_ / pieces + 1;
  }
  KERN_INLINE void advance() {
    const int count = left_ < step_ ? left_ : step_;
    left_ -= count;
    for (int i = 0; i < count; ++i, at_ += line) prefetch_second_level(at_);
  }

private:
  static constexpr int line = 64;
  int left_ = 0;
  int step_ = 0;
  const std::byte* at_ = nullptr;
};

/// The queries one after the other.
void arrange_queries(const AttentionWalk& walk) {
  const int dims = walk.share.shape.key_dim;
  for (int q = 0; q < walk.queries; ++q)
    __builtin_memcpy(walk.scratch.queries + q * dims, walk.share.q + walk.row_and_head(q) * dims,
                     static_cast<std::size_t>(dims) * sizeof(float));
}

/// Weighted values of queries [first, first + count) of a chunk, each over the slots it sees, in order.
template <class Number>
void chunk_values(const AttentionWalk& walk, const ChunkRows<Number>& values, int first, int count, int chunk) {
  const AttentionScratch& scratch = walk.scratch;
  const int stride = walk.value_stride;
  int begin[direct_queries], end[direct_queries];
  int common_begin = 0;
  int common_end = page_positions;
  for (int i = 0; i < count; ++i) {
    walk.visible(first + i, chunk, begin + i, end + i);
    common_begin = begin[i] > common_begin ? begin[i] : common_begin;
    common_end = end[i] < common_end ? end[i] : common_end;
  }
  if (common_begin > common_end) common_begin = common_end = page_positions; // nothing in common: one by one
  const auto one = [&](int i, int from, int to, bool fresh) {
    accumulate_rows<1>(scratch.scores + (first + i) * page_positions, 0, values, from, to, fresh,
                       scratch.chunk + i * stride, stride, stride);
  };
  bool fresh = true; // windows: what some see before all do
  for (int i = 0; i < count; ++i) fresh = fresh && begin[i] >= common_begin;
  if (!fresh)
    for (int i = 0; i < count; ++i) one(i, begin[i], common_begin < end[i] ? common_begin : end[i], true);
  accumulate_rows_for<Number>(count)(scratch.scores + first * page_positions, page_positions, values, common_begin,
                                     common_end, fresh, scratch.chunk, stride, stride);
  for (int i = 0; i < count; ++i) {
    const int from = begin[i] > common_end ? begin[i] : common_end;
    if (from < end[i]) one(i, from, end[i], false);
  }
}

/// Scores and weights of all queries over a chunk.
template <class Number>
void weigh_chunk(const AttentionWalk& walk, const ChunkRows<Number>& keys, int chunk, NextLines next) {
  const AttentionShape& shape = walk.share.shape;
  const AttentionScratch& scratch = walk.scratch;
  for (int first = 0; first < walk.queries; first += walk.tile) {
    const int count = walk.queries - first < walk.tile ? walk.queries - first : walk.tile;
    accumulate_rows_for<Number>(count)(scratch.queries + first * shape.key_dim, shape.key_dim, keys, 0, shape.key_dim,
                                       true, scratch.scores + first * page_positions, page_positions, page_positions);
    next.advance();
  }
  for (int q = 0; q < walk.queries; ++q) {
    int begin, end;
    walk.visible(q, chunk, &begin, &end);
    next.advance();
    float* scores = scratch.scores + q * page_positions;
    if (begin == 0 && end == page_positions)
      chunk_weights<true>(scores, shape.scale, begin, end, scratch.next_m + q, scratch.next_l + q);
    else if (begin < end) chunk_weights<false>(scores, shape.scale, begin, end, scratch.next_m + q, scratch.next_l + q);
  }
}

/// Merges the chunk's (m, l) into the running ones, all queries side by side, and leaves the factors of the values.
/// Queries that see their first chunk, or nothing of it, are put right afterwards.
void merge_denominators(const AttentionWalk& walk) {
  const AttentionScratch& s = walk.scratch;
  for (int q = 0; q < walk.queries; q += lane_count) {
    const auto m = load_vector<Floats>(s.m + q);
    const auto next_m = load_vector<Floats>(s.next_m + q);
    const Floats top = larger(next_m, m);
    const Floats before = exp_lanes<true>(m - top);
    const Floats added = exp_lanes<true>(next_m - top);
    store_vector(s.before + q, before);
    store_vector(s.added + q, added);
  }
}

/// Merges a query's weighted values of a chunk, o [value_stride], into the running ones.
KERN_INLINE void merge_values(const AttentionWalk& walk, int q, bool begins, const float* o) {
  const AttentionScratch& s = walk.scratch;
  float* total = s.totals + q * walk.value_stride;
  if (begins) {
    s.m[q] = s.next_m[q];
    s.l[q] = s.next_l[q];
    for (int d = 0; d < walk.value_stride; ++d) total[d] = o[d];
    return;
  }
  const Floats before = every_lane(s.before[q]);
  const Floats added = every_lane(s.added[q]);
  s.m[q] = s.next_m[q] > s.m[q] ? s.next_m[q] : s.m[q];
  s.l[q] = fused(s.l[q], s.before[q], s.next_l[q] * s.added[q]);
  for (int d = 0; d < walk.value_stride; d += lane_count) {
    const Floats more = load_vector<Floats>(o + d) * added;
    store_vector(total + d, fused_lanes(load_vector<Floats>(total + d), before, more));
  }
}

/// Weighted values of all queries over a chunk, merged into the running ones.
template <class Number>
void merge_chunk(const AttentionWalk& walk, const ChunkRows<Number>& values, int chunk, NextLines next) {
  merge_denominators(walk);
  for (int first = 0; first < walk.queries; first += walk.tile) {
    const int count = walk.queries - first < walk.tile ? walk.queries - first : walk.tile;
    chunk_values(walk, values, first, count, chunk);
    next.advance();
    for (int i = 0; i < count; ++i) {
      next.advance();
      int begin, end;
      walk.visible(first + i, chunk, &begin, &end);
      if (begin >= end) continue;
      merge_values(walk, first + i, walk.begins(first + i, chunk), walk.scratch.chunk + i * walk.value_stride);
    }
  }
}

/// One head's keys and values of a page.
struct HeadPlace {
  const std::byte* keys;
  const std::byte* values;

  KERN_INLINE HeadPlace(const AttentionShare& share, int chunk) {
    const KvView& view = share.cache.view;
    const auto head = static_cast<std::size_t>(share.kv_head);
    const std::byte* page = share.cache.pool + static_cast<std::size_t>(share.page_table[chunk]) * view.page_bytes;
    keys = page + view.keys + head * view.key_stride;
    values = page + view.values + head * view.value_stride;
  }
};

/// All queries against a chunk, widened before.
void attend_widened(const AttentionWalk& walk, int chunk, const HeadPlace& place, const HeadPlace& after) {
  const AttentionShape& shape = walk.share.shape;
  const KvView& view = walk.share.cache.view;
  const AttentionScratch& scratch = walk.scratch;
  load_keys(view.key_format, place.keys, shape.key_dim, scratch.keys);
  weigh_chunk(walk, ChunkRows<float>{scratch.keys, page_positions, shape.key_dim, nullptr}, chunk,
              NextLines(walk, after.keys, view.key_stride));
  load_values(view.value_format, place.values, shape.value_dim, walk.value_stride, scratch.values);
  merge_chunk(walk, ChunkRows<float>{scratch.values, walk.value_stride, page_positions, nullptr}, chunk,
              NextLines(walk, after.values, view.value_stride));
}

/// All queries against a chunk, halves as they lie in the page; every line read also fetches its like of the next
/// chunk. One thread, one token at position 8192, heads of 64, 4 a KV head: 13.6 GB/s, widened before 8.0; half of the
/// lines fetched by the work between the products, so that memory never rests, 12.2; into the first-level cache 10.3.
void attend_halves(const AttentionWalk& walk, int chunk, const HeadPlace& place, const HeadPlace& after) {
  const auto halves = [](const std::byte* from) { return reinterpret_cast<const Half*>(from); };
  const ChunkRows<Half> keys{halves(place.keys), page_positions, walk.share.shape.key_dim, halves(after.keys)};
  const ChunkRows<Half> values{halves(place.values), walk.value_stride, page_positions, halves(after.values)};
  weigh_chunk(walk, keys, chunk, NextLines());
  merge_chunk(walk, values, chunk, NextLines());
}

void attention(const AttentionShare& share) {
  const AttentionShape& shape = share.shape;
  AttentionWalk walk(share);
  arrange_queries(walk);
  for (int q = 0; q < walk.queries; ++q) walk.scratch.m[q] = walk.scratch.next_m[q] = 0.0f;
  int least = share.positions[share.row_begin];
  int most = least;
  for (int row = share.row_begin; row < share.row_end; ++row) {
    least = share.positions[row] < least ? share.positions[row] : least;
    most = share.positions[row] > most ? share.positions[row] : most;
  }
  const int last_chunk = page_of(most);
  for (int chunk = page_of(first_visible(least, shape.window)); chunk <= last_chunk; ++chunk) {
    walk.enter(chunk, least, most);
    const HeadPlace place(share, chunk);
    const HeadPlace after(share, chunk < last_chunk ? chunk + 1 : chunk);
    if (walk.direct) attend_halves(walk, chunk, place, after);
    else attend_widened(walk, chunk, place, after);
  }
  for (int q = 0; q < walk.queries; ++q) {
    const float* total = walk.scratch.totals + q * walk.value_stride;
    float* out = share.out + walk.row_and_head(q) * shape.value_dim;
    for (int d = 0; d < shape.value_dim; ++d) out[d] = total[d] / walk.scratch.l[q];
  }
}
