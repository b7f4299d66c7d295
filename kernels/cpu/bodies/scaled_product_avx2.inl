// Tiles of formats whose groups have whole scales, where products of bytes add up in pairs of 16 bits (AVX2): the
// operation that widens the pairs multiplies them by the scale instead of by one, so that scaling takes no operation of
// its own. In multiply-adds, G/s, 2048 x 2048 by 120 tokens, on one core, with a multiplication of every group's sum
// and this way: Q6_K 51 and 64, Q2_K 58 and 67, Q4_K 81 and 88.

template <class Kind> constexpr bool is_scaled_kind = Kind::whole&& scales_runs(Kind::max_code);

/// Vectors of rows in a tile. With runs as long as Q4_K's, sums and totals of two are worth their way through memory:
/// Q4_K 83 with one, 87 with two, but Q6_K 64 and 59, Q5_K 66 and 60.
template <class Kind>
constexpr int vectors_at_once = is_scaled_kind<Kind> && !(Kind::group == 32 && Kind::max_code <= 15) ? 1 : tile_vectors;

/// One group of V vectors of rows with T tokens: total += scale * sum.
template <class Kind, int V, int T>
KERN_INLINE void add_scaled_group(const std::uint8_t* codes, const std::int32_t* scales, const std::int32_t* x_codes,
                                  Ints* total) {
  constexpr int words = Kind::group / 4;
  constexpr int steps = run_steps(Kind::max_code) < words ? run_steps(Kind::max_code) : words;
  for (int k = 0; k < words; k += steps) {
    Ints run[T * V] = {};
#pragma GCC unroll 4
    for (int step = 0; step < steps; ++step) {
      Words row_codes[V];
      unroll<V>([&](auto v)
                    __attribute__((always_inline)) { row_codes[v] = load_vector<Words>(codes + v * lane_count * 4); });
      unroll<T * V>([&](auto i) __attribute__((always_inline)) {
        run[i] = add_to_run<Kind::max_code>(run[i], row_codes[i % V], x_codes[i / V]);
      });
      codes += chunk_rows * 4;
      x_codes += T;
    }
    unroll<T * V>([&](auto i) __attribute__((always_inline)) {
      total[i] = end_scaled_run(total[i], run[i], load_vector<Ints>(scales + i % V * lane_count));
    });
  }
}

/// `blocks` blocks of V vectors of rows with T tokens.
template <class Kind, int V, int T>
void scaled_tile_product(const PanelChunk& panel, const TileChunk& x, int blocks, const TileResults& results) {
  constexpr int groups = Kind::block / Kind::group;
  constexpr int corrections_of_block = Kind::has_min ? (groups + 1) / 2 : groups;
  for (int b = 0; b < blocks; ++b) {
    const std::int32_t* corrections = x.corrections + b * corrections_of_block * T;
    Ints total[T * V] = {};
    const std::int32_t* scales = panel.whole_scales + b * groups * chunk_rows;
    for (int g = 0; g < groups; ++g)
      add_scaled_group<Kind, V, T>(panel.codes + (b * groups + g) * Kind::group * chunk_rows, scales + g * chunk_rows,
                                   x.codes + (b * groups + g) * Kind::group / 4 * T, total);
    if constexpr (!Kind::has_min)
      for (int g = 0; g < groups; ++g)
        unroll<T * V>([&](auto i) __attribute__((always_inline)) {
          const auto scale = load_vector<Words>(scales + g * chunk_rows + i % V * lane_count);
          total[i] = dot_pairs(total[i], scale, corrections[g * T + i / V]);
        });
    Floats s[T * V];
    unroll<T * V>([&](auto i) __attribute__((always_inline)) {
      s[i] = to_floats(total[i]) * load_vector<Floats>(panel.scales + b * chunk_rows + i % V * lane_count);
    });
    if constexpr (Kind::has_min) subtract_minimums<Kind, V, T>(panel, b, corrections, s);
    unroll<T * V>([&](auto i) __attribute__((always_inline)) {
      float* to = results.to + i / V * results.stride + i % V * lane_count;
      Floats result{};
      if (b > 0) result = load_vector<Floats>(to);
      else if (results.from) result = load_vector<Floats>(results.from + i / V * chunk_rows + i % V * lane_count);
      store_vector(to, fused_lanes(s[i], every_lane(x.scales[b * T + i / V]), result));
    });
  }
}
