// Products with float weights: 16 lanes strided along k, then the tree. Weights are widened to binary32 once for a run
// of tokens; a few rows times a few tokens share every load.

/// Any count of bfloat16 numbers.
KERN_INLINE void decode_bfloat16(const BFloat16* in, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = to_float(in[i]);
}

/// out [count] = weights from the `begin`-th of a row; reads ahead to the row 16 further on, which is widened next.
template <class Traits>
KERN_INLINE void widened(const std::byte* row, std::size_t row_bytes, int begin, int count, float* out) {
  const std::byte* from = row + 2 * static_cast<std::ptrdiff_t>(begin);
  for (int line = 0; line < 2 * count; line += 64) prefetch(from + line + panel_rows * row_bytes);
  if constexpr (Traits::id == Format::f16) decode_halves(reinterpret_cast<const Half*>(from), count, out);
  else decode_bfloat16(reinterpret_cast<const BFloat16*>(from), count, out);
}

// 4 x 5 sums of 16 lanes reach 79 to 100% of the fp32 peak from the first-level cache; 4 x 6, 73 to 98%; with fewer the
// loads cost more (2 x 8: 66%).
constexpr int float_rows = 4;
constexpr int float_tokens = lane_count == 16 ? 5 : 2;

/// sums [R][T][16] += over k [0, count), a multiple of 16: w [R][w_stride], x [k / 16][T][16]. Not inlined: within a
/// larger function the compiler runs out of registers, at half the speed.
template <int R, int T>
[[gnu::noinline]] void dot_tile(const float* w, std::ptrdiff_t w_stride, const float* x, int count, float* sums) {
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

/// Columns [begin, end) of T tokens from `t` on as [k / 16][T][16]; what is missing of the last 16 isn't read.
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

/// Up to 16 rows with T tokens, four rows at a time. sums [row][T][16].
template <int T> void float_tiles(const FloatRows& w, int rows, const float* x, int count, float* sums) {
  int r = 0;
  for (; r + float_rows <= rows; r += float_rows)
    float_tile<float_rows, T>({w.data + r * w.stride, w.stride}, x, count, sums + r * T * 16);
  for (; r < rows; ++r) float_tile<1, T>({w.data + r * w.stride, w.stride}, x, count, sums + r * T * 16);
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
    widened<Traits>(bytes + static_cast<std::size_t>(r) * share.row_bytes, share.row_bytes, begin, end - begin,
                    scratch + r * float_columns);
  return {scratch, float_columns};
}

struct FloatScratch {
  float* sums;    // [tile][rows of the panel][T][16]
  float* widened; // [16][float_columns]
  float* x;       // [tile][float_columns / 16][T][16]
};

/// Calls f(first token, integral constant T) for tiles of tokens [0, tokens): as many as a tile holds, then single
/// ones.
template <class F> KERN_INLINE void each_float_tile(int tokens, F&& f) {
  int t = 0;
  for (; t + float_tokens <= tokens; t += float_tokens) f(t, std::integral_constant<int, float_tokens>{});
  for (; t < tokens; ++t) f(t, std::integral_constant<int, 1>{});
}

/// Up to 64 rows with tokens [begin, begin + tokens): runs of k outermost.
template <class Traits>
void float_panel(const ProductShare& share, std::int64_t row, int rows, int begin, int tokens,
                 const FloatScratch& scratch) {
  __builtin_memset(scratch.sums, 0, static_cast<std::size_t>(tokens * rows * 16) * sizeof(float));
  for (int k = 0; k < share.columns; k += float_columns) {
    const int end = k + float_columns < share.columns ? k + float_columns : share.columns;
    each_float_tile(
        tokens, [&](int t, auto count) __attribute__((always_inline)) {
          gather_columns<count>(share, begin + t, k, end, scratch.x + t * float_columns);
        });
    for (int r = 0; r < rows; r += panel_rows) {
      const int some = rows - r < panel_rows ? rows - r : panel_rows;
      const FloatRows w = widen_rows<Traits>(share, row + r, some, k, end, scratch.widened);
      each_float_tile(
          tokens, [&](int t, auto count) __attribute__((always_inline)) {
            float_tiles<count>(w, some, scratch.x + t * float_columns, end - k,
                               scratch.sums + (t * rows + r * count) * 16);
          });
    }
  }
  each_float_tile(
      tokens, [&](int t, auto count) __attribute__((always_inline)) {
        const float* sums = scratch.sums + t * rows * 16;
        for (int r = 0; r < rows; ++r)
          unroll<count>([&](auto i) __attribute__((always_inline)) {
            Floats lane[16 / lane_count];
            unroll<16 / lane_count>([&](auto p) __attribute__((always_inline)) {
              lane[p] = load_vector<Floats>(sums + (r * count + i) * 16 + p * lane_count);
            });
            share.out[(begin + t + i) * share.out_stride + row + r] = tree_of_lanes(lane);
          });
      });
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
  const FloatScratch carved{scratch, scratch + float_product_tokens * float_panel_rows * 16,
                            scratch + float_product_tokens * float_panel_rows * 16 + panel_rows * float_columns};
  for (int first = 0; first < share.tokens; first += float_product_tokens) {
    const int left_tokens = share.tokens - first;
    const int tokens = left_tokens < float_product_tokens ? left_tokens : float_product_tokens;
    for (std::int64_t row = share.row_begin; row < share.row_end; row += float_panel_rows) {
      const std::int64_t left = share.row_end - row;
      const int rows = left < float_panel_rows ? static_cast<int>(left) : float_panel_rows;
      float_panel<Traits>(share, row, rows, first, tokens, carved);
    }
  }
}
