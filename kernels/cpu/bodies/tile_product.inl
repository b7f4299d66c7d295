// 16 rows of an unpacked panel times a tile of tokens, in the canonical arithmetic of kernels/backend.h.

/// s [T * V] -= the minimums of block b times their activations, whose sums are `corrections` [pairs][T].
template <class Kind, int V, int T>
KERN_INLINE void subtract_minimums(const PanelChunk& panel, int b, const std::int32_t* corrections, Floats* s) {
  constexpr int pairs = (Kind::block / Kind::group + 1) / 2;
  Ints minimums[T * V] = {};
  for (int p = 0; p < pairs; ++p)
    unroll<T * V>([&](auto i) __attribute__((always_inline)) {
      const auto pair = load_vector<Words>(panel.min_pairs + (b * pairs + p) * chunk_rows + i % V * lane_count);
      minimums[i] = dot_pairs(minimums[i], pair, corrections[p * T + i / V]);
    });
  unroll<T * V>([&](auto i) __attribute__((always_inline)) {
    const auto min_scale = load_vector<Floats>(panel.min_scales + b * chunk_rows + i % V * lane_count);
    s[i] = fused_negated(to_floats(minimums[i]), min_scale, s[i]);
  });
}

#if defined(KERN_NARROW_RUNS)
#include "kernels/cpu/bodies/scaled_product_avx2.inl"
#else
template <class Kind> constexpr int vectors_at_once = tile_vectors;
#endif

/// V vectors of rows times T tokens over `blocks` rounding blocks.
template <class Kind, int V, int T>
void tile_product(const PanelChunk& panel, const TileChunk& x, int blocks, const TileResults& results) {
  constexpr int groups = Kind::block / Kind::group;
  constexpr int words = Kind::group / 4;
  constexpr int steps = run_steps(Kind::max_code) < words ? run_steps(Kind::max_code) : words;
  // f(index into sums and results, vector of rows, token)
  const auto each = [](auto&& f) __attribute__((always_inline)) {
    unroll<T * V>([&](auto i) __attribute__((always_inline)) {
      f(i, std::integral_constant<int, i % V>{}, std::integral_constant<int, i / V>{});
    });
  };
  const std::uint8_t* codes = panel.codes;
  const float* scales = panel.scales;
  const std::int32_t* whole_scales = panel.whole_scales;
  const std::int32_t* x_codes = x.codes;
  const std::int32_t* corrections = x.corrections;
  Floats result[T * V];
  each([&](auto i, auto v, auto t) __attribute__((always_inline)) {
    result[i] = results.from ? load_vector<Floats>(results.from + t * chunk_rows + v * lane_count) : Floats{};
  });
  for (int b = 0; b < blocks; ++b) {
    Floats s[T * V];
    Ints total[T * V];
    each([&](auto i, auto, auto) __attribute__((always_inline)) {
      s[i] = Floats{};
      total[i] = Ints{};
    });
    for (int g = 0; g < groups; ++g) {
      Ints sum[T * V];
      each([&](auto i, auto, auto t)
               __attribute__((always_inline)) { sum[i] = Kind::has_min ? Ints{} : Ints{} + corrections[t]; });
      if constexpr (!Kind::has_min) corrections += T;
      for (int k = 0; k < words; k += steps) {
        Ints run[T * V];
        each([&](auto i, auto, auto) __attribute__((always_inline)) { run[i] = start_run<Kind::max_code>(sum[i]); });
#pragma GCC unroll 4
        for (int step = 0; step < steps; ++step) {
          Words row_codes[V];
          unroll<V>([&](auto v) __attribute__((always_inline)) {
            row_codes[v] = load_vector<Words>(codes + v * lane_count * 4);
          });
          each([&](auto i, auto v, auto t) __attribute__((always_inline)) {
            run[i] = add_to_run<Kind::max_code>(run[i], row_codes[v], x_codes[t]);
          });
          codes += chunk_rows * 4;
          x_codes += T;
        }
        each([&](auto i, auto, auto)
                 __attribute__((always_inline)) { sum[i] = end_run<Kind::max_code>(sum[i], run[i]); });
      }
      if constexpr (Kind::whole) {
        each([&](auto i, auto v, auto) __attribute__((always_inline)) {
          total[i] += sum[i] * load_vector<Ints>(whole_scales + v * lane_count);
        });
        whole_scales += chunk_rows;
      } else {
        each([&](auto i, auto v, auto) __attribute__((always_inline)) {
          const auto scale = load_vector<Floats>(scales + v * lane_count);
          s[i] = groups == 1 ? to_floats(sum[i]) * scale : fused_lanes(to_floats(sum[i]), scale, s[i]);
        });
        scales += chunk_rows;
      }
    }
    if constexpr (Kind::whole) {
      each([&](auto i, auto v, auto) __attribute__((always_inline)) {
        s[i] = to_floats(total[i]) * load_vector<Floats>(scales + v * lane_count);
      });
      scales += chunk_rows;
    }
    if constexpr (Kind::has_min) {
      subtract_minimums<Kind, V, T>(panel, b, corrections, s);
      corrections += (groups + 1) / 2 * T;
    }
    each([&](auto i, auto, auto t) __attribute__((always_inline)) {
      result[i] = fused_lanes(s[i], every_lane(x.scales[b * T + t]), result[i]);
    });
  }
  each([&](auto i, auto v, auto t) __attribute__((always_inline)) {
    store_vector(results.to + t * results.stride + v * lane_count, result[i]);
  });
}

template <class Kind, int V, int T>
void kind_tile_product(const PanelChunk& panel, const TileChunk& x, int blocks, const TileResults& results) {
#if defined(KERN_NARROW_RUNS)
  if constexpr (is_scaled_kind<Kind>) return scaled_tile_product<Kind, V, T>(panel, x, blocks, results);
  else
#endif
    return tile_product<Kind, V, T>(panel, x, blocks, results);
}

/// `rows` rows (a multiple of 16) of a chunk with a tile of T tokens.
template <class Kind, int T>
void chunk_rows_product(const PanelChunk& chunk, int rows, const TileChunk& x, int blocks, const TileResults& results) {
  int lane = 0;
  constexpr int vectors = vectors_at_once<Kind>;
  for (; lane + vectors * lane_count <= rows; lane += vectors * lane_count)
    kind_tile_product<Kind, vectors, T>(chunk.from(lane), x, blocks, results.at(lane));
  for (; lane < rows; lane += lane_count) kind_tile_product<Kind, 1, T>(chunk.from(lane), x, blocks, results.at(lane));
}

template <class Kind> KERN_INLINE void prepare_tile_products(int) {}

/// The same for 1..tile_tokens tokens.
template <class Kind>
void chunk_product(const PanelChunk& chunk, int rows, const TileChunk& x, int tokens, int blocks,
                   const TileResults& results) {
  unroll<tile_tokens>([&](auto t) {
    if (t + 1 == tokens) chunk_rows_product<Kind, t + 1>(chunk, rows, x, blocks, results);
  });
}
