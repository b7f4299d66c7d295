// Attention over the pages of a sequence: a tile of query rows and the query heads that share one KV head walk over the
// chunks of 64 keys once, so that a chunk is read from memory and widened once for all of them. No buffer grows with
// the length of the text.

// A few queries times a few vectors of positions (or dimensions) share every load.
constexpr int query_tile = 6;
#if defined(__AVX512VNNI__)
constexpr int attention_vectors = 4; // 24 sums of 32 registers, 10 loads for 24 fma
#else
constexpr int attention_vectors = 2; // 12 sums of 16 registers, 8 loads for 12 fma
#endif
constexpr int attention_lanes = attention_vectors * lane_count;

/// sums [T][stride], `V` vectors each: + the sum over i in [begin, end) of factor(i, t) * row i. rows [..][row_stride];
/// the factor of query t at step i is factors[i + t * next]. Continues what is in sums unless `first`.
template <int T, int V>
KERN_INLINE void accumulate_tile(const float* factors, int next, const float* rows, int row_stride, int begin, int end,
                                 bool first, float* sums, int stride) {
  Floats sum[T * V];
  unroll<T * V>([&](auto i) __attribute__((always_inline)) {
    sum[i] = first ? Floats{} : load_vector<Floats>(sums + i / V * stride + i % V * lane_count);
  });
  for (int i = begin; i < end; ++i) {
    Floats row[V];
    unroll<V>([&](auto v) __attribute__((always_inline)) {
      row[v] = load_vector<Floats>(rows + i * row_stride + v * lane_count);
    });
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

/// The same for any `width` that is a multiple of 16, and 1..query_tile queries.
template <int T>
void accumulate_rows(const float* factors, int next, const float* rows, int row_stride, int begin, int end, bool first,
                     float* sums, int stride, int width) {
  int lane = 0;
  for (; lane + attention_lanes <= width; lane += attention_lanes)
    accumulate_tile<T, attention_vectors>(factors, next, rows + lane, row_stride, begin, end, first, sums + lane,
                                          stride);
  for (; lane < width; lane += lane_count)
    accumulate_tile<T, 1>(factors, next, rows + lane, row_stride, begin, end, first, sums + lane, stride);
}

using AccumulateRows = void (*)(const float*, int, const float*, int, int, int, bool, float*, int, int);

AccumulateRows accumulate_rows_for(int queries) {
  AccumulateRows chosen = nullptr;
  unroll<query_tile>([&](auto t) {
    if (t + 1 == queries) chosen = accumulate_rows<t + 1>;
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
  float* chunk;   // [6][value_stride]
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
  AttentionScratch scratch;

  KERN_INLINE explicit AttentionWalk(const AttentionShare& from) : share(from) {
    const AttentionShape& shape = share.shape;
    group = shape.heads / shape.kv_heads;
    queries = (share.row_end - share.row_begin) * group;
    value_stride = padded(shape.value_dim);
    scratch.keys = share.scratch;
    scratch.values = scratch.keys + page_positions * shape.key_dim;
    scratch.queries = scratch.values + page_positions * value_stride;
    scratch.scores = scratch.queries + queries * padded(shape.key_dim);
    scratch.chunk = scratch.scores + page_positions * queries;
    scratch.totals = scratch.chunk + query_tile * value_stride;
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
  /// Slots of a chunk that a query sees; none where begin >= end.
  KERN_INLINE void visible(int query, int chunk, int* begin, int* end) const {
    const int at = position(query);
    const int first = first_visible(at, share.shape.window) - chunk * page_positions;
    const int last = at - chunk * page_positions + 1;
    *begin = first > 0 ? first : 0;
    *end = last < page_positions ? last : page_positions;
  }
};

/// The keys and values of the next chunk, brought into the second-level cache a few lines at a time between the pieces
/// of work on this one: all at once would hold up the work until most of them are there. One token at position 4096,
/// heads of 64 dimensions, 8 a KV head, two threads: 11.0 GB/s of f16 pages, all at once 9.5, without 8.3.
class NextPage {
public:
  KERN_INLINE explicit NextPage(const AttentionWalk& walk)
      : pieces_(2 * (walk.queries + (walk.queries + query_tile - 1) / query_tile)) {}
  KERN_INLINE void add(const std::byte* from, std::size_t bytes) {
    at_[count_] = from;
    end_[count_++] = from + bytes;
    lines_ += static_cast<int>(bytes / 64);
    step_ = lines_ / pieces_ + 1;
  }
  /// To be called after every piece of work.
  KERN_INLINE void advance() {
    for (int i = 0; i < step_; ++i) {
      while (part_ < count_ && at_[part_] >= end_[part_]) ++part_;
      if (part_ == count_) return;
      prefetch_second_level(at_[part_]);
      at_[part_] += 64;
    }
  }

private:
  int pieces_;
  int lines_ = 0;
  int step_ = 0;
  int count_ = 0;
  int part_ = 0;
  const std::byte* at_[2];
  const std::byte* end_[2];
};

/// The queries one after the other.
void arrange_queries(const AttentionWalk& walk) {
  const int dims = walk.share.shape.key_dim;
  for (int q = 0; q < walk.queries; ++q)
    __builtin_memcpy(walk.scratch.queries + q * dims, walk.share.q + walk.row_and_head(q) * dims,
                     static_cast<std::size_t>(dims) * sizeof(float));
}

/// Weighted values of queries [first, first + count) of a chunk, each over the slots it sees, in order.
void chunk_values(const AttentionWalk& walk, int first, int count, int chunk) {
  const AttentionScratch& scratch = walk.scratch;
  const int stride = walk.value_stride;
  int begin[query_tile], end[query_tile];
  int common_begin = 0;
  int common_end = page_positions;
  for (int i = 0; i < count; ++i) {
    walk.visible(first + i, chunk, begin + i, end + i);
    common_begin = begin[i] > common_begin ? begin[i] : common_begin;
    common_end = end[i] < common_end ? end[i] : common_end;
  }
  if (common_begin > common_end) common_begin = common_end = page_positions; // nothing in common: one by one
  const auto one = [&](int i, int from, int to, bool fresh) {
    accumulate_rows<1>(scratch.scores + (first + i) * page_positions, 0, scratch.values, stride, from, to, fresh,
                       scratch.chunk + i * stride, stride, stride);
  };
  bool fresh = true; // windows: what some see before all do
  for (int i = 0; i < count; ++i) fresh = fresh && begin[i] >= common_begin;
  if (!fresh)
    for (int i = 0; i < count; ++i) one(i, begin[i], common_begin < end[i] ? common_begin : end[i], true);
  accumulate_rows_for(count)(scratch.scores + first * page_positions, page_positions, scratch.values, stride,
                             common_begin, common_end, fresh, scratch.chunk, stride, stride);
  for (int i = 0; i < count; ++i) {
    const int from = begin[i] > common_end ? begin[i] : common_end;
    if (from < end[i]) one(i, from, end[i], false);
  }
}

/// Scores and weights of all queries over a chunk.
void weigh_chunk(const AttentionWalk& walk, int chunk, NextPage& next) {
  const AttentionShape& shape = walk.share.shape;
  const AttentionScratch& scratch = walk.scratch;
  for (int first = 0; first < walk.queries; first += query_tile) {
    const int count = walk.queries - first < query_tile ? walk.queries - first : query_tile;
    accumulate_rows_for(count)(scratch.queries + first * shape.key_dim, shape.key_dim, scratch.keys, page_positions, 0,
                               shape.key_dim, true, scratch.scores + first * page_positions, page_positions,
                               page_positions);
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

/// All queries against the chunk whose keys and values are at hand.
void attend_chunk(const AttentionWalk& walk, int chunk, NextPage& next) {
  const AttentionShape& shape = walk.share.shape;
  const AttentionScratch& s = walk.scratch;
  weigh_chunk(walk, chunk, next);
  merge_denominators(walk);
  for (int first = 0; first < walk.queries; first += query_tile) {
    const int count = walk.queries - first < query_tile ? walk.queries - first : query_tile;
    chunk_values(walk, first, count, chunk);
    next.advance();
    for (int i = 0; i < count; ++i) {
      next.advance();
      const int q = first + i;
      int begin, end;
      walk.visible(q, chunk, &begin, &end);
      if (begin >= end) continue;
      float* total = s.totals + q * walk.value_stride;
      const float* o = s.chunk + i * walk.value_stride;
      if (chunk == page_of(first_visible(walk.position(q), shape.window))) {
        s.m[q] = s.next_m[q];
        s.l[q] = s.next_l[q];
        for (int d = 0; d < walk.value_stride; ++d) total[d] = o[d];
      } else {
        const float before = s.before[q];
        const float added = s.added[q];
        s.m[q] = s.next_m[q] > s.m[q] ? s.next_m[q] : s.m[q];
        s.l[q] = fused(s.l[q], before, s.next_l[q] * added);
        for (int d = 0; d < walk.value_stride; ++d) total[d] = fused(total[d], before, o[d] * added);
      }
    }
  }
}

void attention(const AttentionShare& share) {
  const AttentionShape& shape = share.shape;
  const KvView& view = share.cache.view;
  const auto head = static_cast<std::size_t>(share.kv_head);
  const AttentionWalk walk(share);
  arrange_queries(walk);
  for (int q = 0; q < walk.queries; ++q) walk.scratch.m[q] = walk.scratch.next_m[q] = 0.0f;
  int first_chunk = page_of(first_visible(share.positions[share.row_begin], shape.window));
  int last_chunk = 0;
  for (int row = share.row_begin; row < share.row_end; ++row) {
    const int first = page_of(first_visible(share.positions[row], shape.window));
    const int last = page_of(share.positions[row]);
    first_chunk = first < first_chunk ? first : first_chunk;
    last_chunk = last > last_chunk ? last : last_chunk;
  }
  for (int chunk = first_chunk; chunk <= last_chunk; ++chunk) {
    const std::byte* page = share.cache.pool + static_cast<std::size_t>(share.page_table[chunk]) * view.page_bytes;
    load_keys(view.key_format, page + view.keys + head * view.key_stride, shape.key_dim, walk.scratch.keys);
    load_values(view.value_format, page + view.values + head * view.value_stride, shape.value_dim, walk.value_stride,
                walk.scratch.values);
    NextPage next(walk);
    if (chunk < last_chunk) {
      const std::byte* after =
          share.cache.pool + static_cast<std::size_t>(share.page_table[chunk + 1]) * view.page_bytes;
      next.add(after + view.keys + head * view.key_stride, view.key_stride);
      next.add(after + view.values + head * view.value_stride, view.value_stride);
    }
    attend_chunk(walk, chunk, next);
  }
  for (int q = 0; q < walk.queries; ++q) {
    const float* total = walk.scratch.totals + q * walk.value_stride;
    float* out = share.out + walk.row_and_head(q) * shape.value_dim;
    for (int d = 0; d < shape.value_dim; ++d) out[d] = total[d] / walk.scratch.l[q];
  }
}
