// Attention over the pages of a sequence: a tile of query rows and the query heads that share one KV head walk over the
// chunks of 64 keys once. No buffer grows with the length of the text.

/// One query head of one row: running maximum, denominator and weighted values.
struct Partial {
  float* m;
  float* l;
  float* o; // [value_dim]
};

/// scores [64] = scale * (q . key), by fma over the dimensions in order. keys [key_dim][64] as floats.
KERN_INLINE void chunk_scores(const float* q, const float* keys, int key_dim, float scale, float* scores) {
  float lane[page_positions] = {};
  for (int d = 0; d < key_dim; ++d) {
    const float value = q[d];
    const float* row = keys + d * page_positions;
    for (int j = 0; j < page_positions; ++j) lane[j] = fused(value, row[j], lane[j]);
  }
  for (int j = 0; j < page_positions; ++j) scores[j] = lane[j] * scale;
}

/// Reduces the scores of slots [begin, end) against their own maximum; the others become weight 0.
KERN_INLINE void chunk_weights(float* scores, int begin, int end, float* maximum, float* sum) {
  float m = scores[begin];
  for (int j = begin + 1; j < end; ++j) m = scores[j] > m ? scores[j] : m;
  for (int j = 0; j < page_positions; ++j) {
    const float weight = exp_f32(scores[j] - m);
    scores[j] = j >= begin && j < end ? weight : 0.0f;
  }
  float lane[lanes] = {};
  for (int j = 0; j < page_positions; j += lanes)
    for (int i = 0; i < lanes; ++i) lane[i] += scores[j + i];
  *maximum = m;
  *sum = tree_sum(lane);
}

/// out [value_dim] = sum of weight * value over slots [begin, end), in order. values [64][value_dim] as floats.
KERN_INLINE void chunk_values(const float* weights, const float* values, int begin, int end, int value_dim,
                              float* out) {
  for (int d = 0; d < value_dim; ++d) out[d] = 0.0f;
  for (int j = begin; j < end; ++j) {
    const float weight = weights[j];
    const float* row = values + j * value_dim;
    for (int d = 0; d < value_dim; ++d) out[d] = fused(weight, row[d], out[d]);
  }
}

/// Adds a chunk's (m, l, o) to what came before it.
KERN_INLINE void merge_chunk(float m, float l, const float* o, int value_dim, const Partial& total) {
  const float top = m > *total.m ? m : *total.m;
  const float before = exp_f32(*total.m - top);
  const float added = exp_f32(m - top);
  *total.m = top;
  *total.l = fused(*total.l, before, l * added);
  for (int d = 0; d < value_dim; ++d) total.o[d] = fused(total.o[d], before, o[d] * added);
}

/// A chunk's keys or values of one head as floats.
KERN_INLINE const float* chunk_floats(const std::byte* data, Format format, int count, float* scratch) {
  if (format == Format::f32) return reinterpret_cast<const float*>(data);
  decode_halves(reinterpret_cast<const Half*>(data), count, scratch);
  return scratch;
}

/// First position a query sees.
KERN_INLINE int first_visible(int position, int window) {
  return window > 0 && position >= window ? position - window + 1 : 0;
}

struct AttentionScratch {
  float* keys;   // [key_dim][64]
  float* values; // [64][value_dim]
  float* scores; // [group][64]
  float* chunk;  // [value_dim]
  float* states; // [rows][group][value_dim + 2]
};

KERN_INLINE AttentionScratch carve_attention(const AttentionShare& share, int group) {
  AttentionScratch scratch;
  scratch.keys = share.scratch;
  scratch.values = scratch.keys + page_positions * share.shape.key_dim;
  scratch.scores = scratch.values + page_positions * share.shape.value_dim;
  scratch.chunk = scratch.scores + page_positions * group;
  scratch.states = scratch.chunk + share.shape.value_dim;
  return scratch;
}

/// One row's query heads against one chunk whose keys and values are at hand.
KERN_INLINE void attend_chunk(const AttentionShare& share, const AttentionScratch& scratch, const float* keys,
                              const float* values, int row, int chunk) {
  const AttentionShape& shape = share.shape;
  const int group = shape.heads / shape.kv_heads;
  const int position = share.positions[row];
  const int first = first_visible(position, shape.window);
  const int base = chunk * page_positions;
  const int begin = first > base ? first - base : 0;
  const int end = position - base + 1 < page_positions ? position - base + 1 : page_positions;
  if (begin >= end) return;
  const bool is_first = chunk == page_of(first);
  for (int g = 0; g < group; ++g) {
    const int head = share.kv_head * group + g;
    const float* q = share.q + (static_cast<std::ptrdiff_t>(row) * shape.heads + head) * shape.key_dim;
    float* state = scratch.states + ((row - share.row_begin) * group + g) * (shape.value_dim + 2);
    const Partial total{state, state + 1, state + 2};
    float* scores = scratch.scores + g * page_positions;
    chunk_scores(q, keys, shape.key_dim, shape.scale, scores);
    float m;
    float l;
    chunk_weights(scores, begin, end, &m, &l);
    chunk_values(scores, values, begin, end, shape.value_dim, is_first ? total.o : scratch.chunk);
    if (is_first) {
      *total.m = m;
      *total.l = l;
    } else {
      merge_chunk(m, l, scratch.chunk, shape.value_dim, total);
    }
  }
}

void attention(const AttentionShare& share) {
  const AttentionShape& shape = share.shape;
  const KvView& view = share.cache.view;
  const auto head = static_cast<std::size_t>(share.kv_head);
  const int group = shape.heads / shape.kv_heads;
  const AttentionScratch scratch = carve_attention(share, group);
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
    const float* keys = chunk_floats(page + view.keys + head * view.key_stride, view.key_format,
                                     shape.key_dim * page_positions, scratch.keys);
    const float* values = chunk_floats(page + view.values + head * view.value_stride, view.value_format,
                                       shape.value_dim * page_positions, scratch.values);
    for (int row = share.row_begin; row < share.row_end; ++row) attend_chunk(share, scratch, keys, values, row, chunk);
  }
  for (int row = share.row_begin; row < share.row_end; ++row)
    for (int g = 0; g < group; ++g) {
      const float* state = scratch.states + ((row - share.row_begin) * group + g) * (shape.value_dim + 2);
      float* out =
          share.out + (static_cast<std::ptrdiff_t>(row) * shape.heads + share.kv_head * group + g) * shape.value_dim;
      for (int d = 0; d < shape.value_dim; ++d) out[d] = state[2 + d] / state[1];
    }
}
