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

/// lanes [R][T][16] += over k [0, count), a multiple of 16: w [R][w_stride], x [T][x_stride].
template <int R, int T>
KERN_INLINE void dot_tile(const float* w, std::ptrdiff_t w_stride, const float* x, std::ptrdiff_t x_stride, int count,
                          float* lane) {
  for (int part = 0; part < 16; part += lane_count) {
    Floats sum[R][T];
    unroll<R * T>([&](auto i) __attribute__((always_inline)) {
      sum[i / T][i % T] = load_vector<Floats>(lane + i * 16 + part);
    });
    for (int k = part; k < count; k += 16) {
      Floats values[T];
      unroll<T>([&](auto t) __attribute__((always_inline)) { values[t] = load_vector<Floats>(x + t * x_stride + k); });
      unroll<R>([&](auto r) __attribute__((always_inline)) {
        const auto weights = load_vector<Floats>(w + r * w_stride + k);
        unroll<T>([&](auto t)
                      __attribute__((always_inline)) { sum[r][t] = fused_lanes(weights, values[t], sum[r][t]); });
      });
    }
    unroll<R * T>([&](auto i)
                      __attribute__((always_inline)) { store_vector(lane + i * 16 + part, sum[i / T][i % T]); });
  }
}

// 4 x 6 sums of 16 lanes are 24 of AVX-512's 32 registers, and ten loads serve 24 fma; the others have half the bytes.
constexpr int float_rows = 4;
constexpr int float_tokens = lane_count == 16 ? 6 : 2;

/// Rows [row, row + R) times tokens [t, t + T), over the run [begin, end) of k; the last run may end anywhere.
template <int R, int T>
void float_tile(const ProductShare& share, const float* w, std::ptrdiff_t w_stride, int t, int begin, int end,
                float* lane) {
  const float* x = share.x + static_cast<std::ptrdiff_t>(t) * share.columns + begin;
  const int whole = (end - begin) / 16 * 16;
  dot_tile<R, T>(w, w_stride, x, share.columns, whole, lane);
  for (int k = whole; k < end - begin; ++k)
    for (int i = 0; i < R * T; ++i) {
      float& sum = lane[i * 16 + k - whole];
      sum = fused(w[i / T * w_stride + k], x[static_cast<std::ptrdiff_t>(i % T) * share.columns + k], sum);
    }
}

/// T tokens with `rows` rows, four at a time. lanes [row / 4][4][T][16], behind the last four [row][T][16].
template <int T>
void float_tiles(const ProductShare& share, const float* w, std::ptrdiff_t w_stride, int rows, int t, int begin,
                 int end, float* lanes_of) {
  int r = 0;
  for (; r + float_rows <= rows; r += float_rows)
    float_tile<float_rows, T>(share, w + r * w_stride, w_stride, t, begin, end, lanes_of + r * T * 16);
  for (; r < rows; ++r) float_tile<1, T>(share, w + r * w_stride, w_stride, t, begin, end, lanes_of + r * T * 16);
}

/// Up to 16 rows with tokens [first, last): runs of k outermost, so that a run of the widened weights stays in the
/// first-level cache and is met by all tokens.
template <class Traits>
void float_panel(const ProductShare& share, std::int64_t row, int rows, int first, int last, float* scratch) {
  float* lanes_of = scratch; // [tokens / T][rows][T][16]: a row and a token have 16
  float* widened_rows = scratch + static_cast<std::ptrdiff_t>(float_product_tokens) * panel_rows * 16;
  for (int i = 0; i < (last - first) * rows * 16; ++i) lanes_of[i] = 0.0f;
  const std::byte* bytes = share.weights + static_cast<std::size_t>(row) * share.row_bytes;
  for (int k = 0; k < share.columns; k += float_columns) {
    const int end = k + float_columns < share.columns ? k + float_columns : share.columns;
    const float* w = widened_rows;
    std::ptrdiff_t w_stride = float_columns;
    if constexpr (Traits::id == Format::f32) {
      w = reinterpret_cast<const float*>(bytes) + k;
      w_stride = static_cast<std::ptrdiff_t>(share.row_bytes / sizeof(float));
    } else {
      for (int r = 0; r < rows; ++r)
        widened<Traits>(bytes + static_cast<std::size_t>(r) * share.row_bytes, k, end - k,
                        widened_rows + r * float_columns);
    }
    int t = first;
    for (; t + float_tokens <= last; t += float_tokens)
      float_tiles<float_tokens>(share, w, w_stride, rows, t, k, end, lanes_of + (t - first) * rows * 16);
    for (; t < last; ++t) float_tiles<1>(share, w, w_stride, rows, t, k, end, lanes_of + (t - first) * rows * 16);
  }
  const int grouped = (last - first) / float_tokens * float_tokens;
  for (int i = 0; i < last - first; ++i)
    for (int r = 0; r < rows; ++r) {
      const bool single = i >= grouped;
      const int tile = single ? i : i / float_tokens * float_tokens;
      const int at = tile * rows + (single ? r : r * float_tokens + i - tile);
      share.out[(first + i) * share.out_stride + row + r] = tree_sum(lanes_of + at * 16);
    }
}

/// One token: four rows side by side, straight through.
template <class Traits, int R>
KERN_INLINE void float_vector(const ProductShare& share, std::int64_t row, float* widened_rows) {
  alignas(64) float lane[R * 16] = {};
  const std::byte* bytes = share.weights + static_cast<std::size_t>(row) * share.row_bytes;
  for (int k = 0; k < share.columns; k += float_columns) {
    const int end = k + float_columns < share.columns ? k + float_columns : share.columns;
    const float* w = widened_rows;
    std::ptrdiff_t w_stride = float_columns;
    if constexpr (Traits::id == Format::f32) {
      w = reinterpret_cast<const float*>(bytes) + k;
      w_stride = static_cast<std::ptrdiff_t>(share.row_bytes / sizeof(float));
    } else {
      for (int r = 0; r < R; ++r)
        widened<Traits>(bytes + static_cast<std::size_t>(r) * share.row_bytes, k, end - k,
                        widened_rows + r * float_columns);
    }
    float_tile<R, 1>(share, w, w_stride, 0, k, end, lane);
  }
  for (int r = 0; r < R; ++r) share.out[row + r] = tree_sum(lane + r * 16);
}

template <class Traits> void product_share_float(const ProductShare& share) {
  auto* scratch = reinterpret_cast<float*>(share.scratch);
  if (share.tokens == 1) {
    std::int64_t row = share.row_begin;
    for (; row + float_rows <= share.row_end; row += float_rows) float_vector<Traits, float_rows>(share, row, scratch);
    for (; row < share.row_end; ++row) float_vector<Traits, 1>(share, row, scratch);
    return;
  }
  for (int first = 0; first < share.tokens; first += float_product_tokens) {
    const int last = first + float_product_tokens < share.tokens ? first + float_product_tokens : share.tokens;
    for (std::int64_t row = share.row_begin; row < share.row_end; row += panel_rows) {
      const std::int64_t left = share.row_end - row;
      float_panel<Traits>(share, row, left < panel_rows ? static_cast<int>(left) : panel_rows, first, last, scratch);
    }
  }
}
