// Products with float weights: 16 lanes strided along k, then the tree. Weights are widened to binary32 once for a run
// of tokens; a few rows times a few tokens share every load.

/// Any count of bfloat16 numbers.
KERN_INLINE void decode_bfloat16(const BFloat16* in, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = to_float(in[i]);
}

/// `count` weights from the `begin`-th of a row, as floats: in place for F32, else in `scratch`.
template <class Traits> KERN_INLINE const float* widened(const std::byte* row, int begin, int count, float* scratch) {
  if constexpr (Traits::id == Format::f32) return reinterpret_cast<const float*>(row) + begin;
  if constexpr (Traits::id == Format::f16) decode_halves(reinterpret_cast<const Half*>(row) + begin, count, scratch);
  if constexpr (Traits::id == Format::bf16)
    decode_bfloat16(reinterpret_cast<const BFloat16*>(row) + begin, count, scratch);
  return scratch;
}

/// Sixteen floats as the instruction set holds them.
constexpr int float_parts = 16 / lane_count;

// 4 x 6 sums of 16 lanes are 24 of AVX-512's 32 registers, and ten loads serve 24 fma; the others have half the bytes.
constexpr int float_rows = 4;
constexpr int float_tokens = lane_count == 16 ? 6 : 2;

/// sums [R][T][16] += over k [0, count), a multiple of 16: w [R][w_stride], x [k / 16][T][16].
template <int R, int T>
KERN_INLINE void dot_tile(const float* w, std::ptrdiff_t w_stride, const float* x, int count, float* sums) {
  for (int part = 0; part < 16; part += lane_count) {
    Floats sum[R * T];
    unroll<R * T>([&](auto i) __attribute__((always_inline)) { sum[i] = load_vector<Floats>(sums + i * 16 + part); });
    const float* values_at = x + part;
    for (int k = part; k < count; k += 16, values_at += T * 16) {
      Floats values[T];
      unroll<T>([&](auto t) __attribute__((always_inline)) { values[t] = load_vector<Floats>(values_at + t * 16); });
      unroll<R>([&](auto r) __attribute__((always_inline)) {
        const auto weights = load_vector<Floats>(w + r * w_stride + k);
        unroll<T>([&](auto t) __attribute__((always_inline)) {
          sum[r * T + t] = fused_lanes(weights, values[t], sum[r * T + t]);
        });
      });
    }
    unroll<R * T>([&](auto i) __attribute__((always_inline)) { store_vector(sums + i * 16 + part, sum[i]); });
  }
}

/// Rows of weights, widened or in place.
struct FloatRows {
  const float* data;
  std::ptrdiff_t stride;
};

/// Columns [begin, end) of T tokens from `t` on as [k / 16][T][16]; the last 16 filled up with zeros.
template <int T> KERN_INLINE void gather_columns(const ProductShare& share, int t, int begin, int end, float* out) {
  for (int i = 0; i < T; ++i) {
    const float* from = share.x + static_cast<std::ptrdiff_t>(t + i) * share.columns + begin;
    float* to = out + i * 16;
    int k = 0;
    for (; k + 16 <= end - begin; k += 16, to += T * 16) __builtin_memcpy(to, from + k, 16 * sizeof(float));
    for (int j = 0; k + j < end - begin; ++j) to[j] = from[k + j];
  }
}

/// R rows times T tokens over a run of k that may end anywhere.
template <int R, int T> void float_tile(const FloatRows& w, const float* x, int count, float* sums) {
  const int whole = count / 16 * 16;
  dot_tile<R, T>(w.data, w.stride, x, whole, sums);
  for (int k = whole; k < count; ++k)
    for (int i = 0; i < R * T; ++i) {
      float& sum = sums[i * 16 + k - whole];
      sum = fused(w.data[i / T * w.stride + k], x[whole * T + i % T * 16 + k - whole], sum);
    }
}

/// T tokens with `rows` rows, four at a time. sums [row / 4][4][T][16], behind the last four [row][T][16].
template <int T>
void float_tiles(const ProductShare& share, const FloatRows& w, int rows, int t, int begin, int end, float* x,
                 float* sums) {
  gather_columns<T>(share, t, begin, end, x);
  int r = 0;
  for (; r + float_rows <= rows; r += float_rows)
    float_tile<float_rows, T>({w.data + r * w.stride, w.stride}, x, end - begin, sums + r * T * 16);
  for (; r < rows; ++r) float_tile<1, T>({w.data + r * w.stride, w.stride}, x, end - begin, sums + r * T * 16);
}

/// Columns [begin, end) of `rows` rows as floats.
template <class Traits>
KERN_INLINE FloatRows widen_rows(const ProductShare& share, std::int64_t row, int rows, int begin, int end,
                                 float* scratch) {
  const std::byte* bytes = share.weights + static_cast<std::size_t>(row) * share.row_bytes;
  if constexpr (Traits::id == Format::f32)
    return {reinterpret_cast<const float*>(bytes) + begin,
            static_cast<std::ptrdiff_t>(share.row_bytes / sizeof(float))};
  for (int r = 0; r < rows; ++r)
    widened<Traits>(bytes + static_cast<std::size_t>(r) * share.row_bytes, begin, end - begin,
                    scratch + r * float_columns);
  return {scratch, float_columns};
}

/// Up to 64 rows with tokens [first, last): runs of k outermost, so that a run of the widened weights stays in the
/// second-level cache and is met by all tokens.
template <class Traits>
void float_panel(const ProductShare& share, std::int64_t row, int rows, int first, int last, float* scratch) {
  float* sums = scratch; // [tokens / T][rows][T][16]: a row and a token have 16
  float* widened_rows = sums + static_cast<std::ptrdiff_t>(float_product_tokens) * float_panel_rows * 16;
  float* x = widened_rows + float_panel_rows * float_columns;
  for (int i = 0; i < (last - first) * rows * 16; ++i) sums[i] = 0.0f;
  for (int k = 0; k < share.columns; k += float_columns) {
    const int end = k + float_columns < share.columns ? k + float_columns : share.columns;
    const FloatRows w = widen_rows<Traits>(share, row, rows, k, end, widened_rows);
    int t = first;
    for (; t + float_tokens <= last; t += float_tokens)
      float_tiles<float_tokens>(share, w, rows, t, k, end, x, sums + (t - first) * rows * 16);
    for (; t < last; ++t) float_tiles<1>(share, w, rows, t, k, end, x, sums + (t - first) * rows * 16);
  }
  const int grouped = (last - first) / float_tokens * float_tokens;
  for (int i = 0; i < last - first; ++i)
    for (int r = 0; r < rows; ++r) {
      const bool single = i >= grouped;
      const int tile = single ? i : i / float_tokens * float_tokens;
      const int at = tile * rows + (single ? r : r * float_tokens + i - tile);
      share.out[(first + i) * share.out_stride + row + r] = tree_sum(sums + at * 16);
    }
}

/// Sixteen weights of a row, or the part of them that fits a vector.
template <class Traits> KERN_INLINE Floats load_weights(const std::byte* row, int k) {
  if constexpr (Traits::id == Format::f32) return load_vector<Floats>(row + 4 * static_cast<std::ptrdiff_t>(k));
  const std::uint16_t* at = reinterpret_cast<const std::uint16_t*>(row) + k;
  if constexpr (Traits::id == Format::f16) return load_halves(at);
  else return bits_to_floats(load_shorts(at) << 16);
}

/// One token: R rows side by side, straight from the file's layout. Reads ahead to the next R rows.
template <class Traits, int R> KERN_INLINE void float_vector(const ProductShare& share, std::int64_t row) {
  constexpr int parts = 16 / lane_count;
  constexpr int bytes_each = static_cast<int>(sizeof(typename Traits::Block));
  const std::byte* rows = share.weights + static_cast<std::size_t>(row) * share.row_bytes;
  Floats sum[R * parts] = {};
  const int whole = share.columns / 16 * 16;
  for (int k = 0; k < whole; k += 16)
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      const std::byte* from = rows + r * share.row_bytes;
      prefetch(from + k * bytes_each + R * share.row_bytes);
      unroll<parts>([&](auto p) __attribute__((always_inline)) {
        const auto x = load_vector<Floats>(share.x + k + p * lane_count);
        Floats& to = sum[r * parts + p];
        to = fused_lanes(load_weights<Traits>(from, k + p * lane_count), x, to);
      });
    });
  unroll<R>([&](auto r) __attribute__((always_inline)) {
    alignas(64) float lane[16];
    for (int p = 0; p < parts; ++p) store_vector(lane + p * lane_count, sum[r * parts + p]);
    for (int k = whole; k < share.columns; ++k) {
      float weight;
      Traits::decode(reinterpret_cast<const typename Traits::Block*>(rows + r * share.row_bytes)[k], &weight);
      lane[k - whole] = fused(weight, share.x[k], lane[k - whole]);
    }
    share.out[row + r] = tree_sum(lane);
  });
}

template <class Traits> void product_share_float(const ProductShare& share) {
  auto* scratch = reinterpret_cast<float*>(share.scratch);
  if (share.tokens == 1) {
    std::int64_t row = share.row_begin;
    for (; row + float_rows <= share.row_end; row += float_rows) float_vector<Traits, float_rows>(share, row);
    for (; row < share.row_end; ++row) float_vector<Traits, 1>(share, row);
    return;
  }
  for (int first = 0; first < share.tokens; first += float_product_tokens) {
    const int last = first + float_product_tokens < share.tokens ? first + float_product_tokens : share.tokens;
    for (std::int64_t row = share.row_begin; row < share.row_end; row += float_panel_rows) {
      const std::int64_t left = share.row_end - row;
      const int rows = left < float_panel_rows ? static_cast<int>(left) : float_panel_rows;
      float_panel<Traits>(share, row, rows, first, last, scratch);
    }
  }
}
