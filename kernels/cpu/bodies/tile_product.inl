// The heart of every quantized product: 16 rows of an unpacked panel times a tile of tokens, and 16 rows of an
// interleaved panel times one token, in the canonical arithmetic of kernels/backend.h.

/// What a tile product needs to know of a format: formats with the same numbers share the code.
template <int group_columns, int rounding, bool minimums, int largest_code> struct ProductKind {
  static constexpr int group = group_columns;
  static constexpr int block = rounding;
  static constexpr bool has_min = minimums;
  static constexpr int max_code = largest_code;
};

template <class Traits>
using KindOf = ProductKind<Traits::group, rounding_block<Traits>, Traits::has_min,
                           code_class(PanelCodec<Traits>::max_code, Traits::group)>;

/// Where results so far come from, and where they go. Between runs of k they stay close together: the rows of a result
/// lie so far apart, often by a power of two, that a cache couldn't hold them.
struct TileResults {
  const float* from; // [T][32], or null: from zero
  float* to;         // [T][stride]
  std::int64_t stride;

  KERN_INLINE TileResults at(int lane) const { return {from ? from + lane : nullptr, to + lane, stride}; }
};

/// V vectors of rows times T tokens over `blocks` rounding blocks.
template <class Kind, int V, int T>
void tile_product(const PanelChunk& panel, const TileChunk& x, int blocks, const TileResults& results) {
  constexpr int groups = Kind::block / Kind::group;
  constexpr int words = Kind::group / 4;
  constexpr int steps = run_steps(Kind::max_code) < words ? run_steps(Kind::max_code) : words;
  constexpr int pairs = (groups + 1) / 2;
  // f(index into sums and results, vector of rows, token)
  const auto each = [](auto&& f) __attribute__((always_inline)) {
    unroll<T * V>([&](auto i) __attribute__((always_inline)) {
      f(i, std::integral_constant<int, i % V>{}, std::integral_constant<int, i / V>{});
    });
  };
  const std::uint8_t* codes = panel.codes;
  const float* scales = panel.scales;
  const std::int32_t* x_codes = x.codes;
  const std::int32_t* corrections = x.corrections;
  Floats result[T * V];
  each([&](auto i, auto v, auto t) __attribute__((always_inline)) {
    result[i] = results.from ? load_vector<Floats>(results.from + t * chunk_rows + v * lane_count) : Floats{};
  });
  for (int b = 0; b < blocks; ++b) {
    Floats s[T * V];
    each([&](auto i, auto, auto) __attribute__((always_inline)) { s[i] = Floats{}; });
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
      each([&](auto i, auto v, auto) __attribute__((always_inline)) {
        const auto scale = load_vector<Floats>(scales + v * lane_count);
        s[i] = groups == 1 ? to_floats(sum[i]) * scale : fused_lanes(to_floats(sum[i]), scale, s[i]);
      });
      scales += chunk_rows;
    }
    if constexpr (Kind::has_min) {
      Ints minimums[T * V];
      each([&](auto i, auto, auto) __attribute__((always_inline)) { minimums[i] = Ints{}; });
      for (int p = 0; p < pairs; ++p) {
        each([&](auto i, auto v, auto t) __attribute__((always_inline)) {
          const auto pair = load_vector<Words>(panel.min_pairs + (b * pairs + p) * chunk_rows + v * lane_count);
          minimums[i] = dot_pairs(minimums[i], pair, corrections[t]);
        });
        corrections += T;
      }
      each([&](auto i, auto v, auto) __attribute__((always_inline)) {
        const auto min_scale = load_vector<Floats>(panel.min_scales + b * chunk_rows + v * lane_count);
        s[i] = fused_negated(to_floats(minimums[i]), min_scale, s[i]);
      });
    }
    each([&](auto i, auto, auto t) __attribute__((always_inline)) {
      result[i] = fused_lanes(s[i], every_lane(x.scales[b * T + t]), result[i]);
    });
  }
  each([&](auto i, auto v, auto t) __attribute__((always_inline)) {
    store_vector(results.to + t * results.stride + v * lane_count, result[i]);
  });
}

/// `rows` rows (a multiple of 16) of a chunk with a tile of T tokens.
template <class Kind, int T>
void chunk_product(const PanelChunk& chunk, int rows, const TileChunk& x, int blocks, const TileResults& results) {
  int lane = 0;
  for (; lane + tile_vectors * lane_count <= rows; lane += tile_vectors * lane_count)
    tile_product<Kind, tile_vectors, T>(chunk.from(lane), x, blocks, results.at(lane));
  for (; lane < rows; lane += lane_count) tile_product<Kind, 1, T>(chunk.from(lane), x, blocks, results.at(lane));
}

using ChunkProduct = void (*)(const PanelChunk&, int, const TileChunk&, int, const TileResults&);

/// The copy for a number of tokens, 1..tile_tokens.
template <class Kind> ChunkProduct chunk_product_for(int tokens) {
  ChunkProduct chosen = nullptr;
  unroll<tile_tokens>([&](auto t) {
    if (t + 1 == tokens) chosen = chunk_product<Kind, t + 1>;
  });
  return chosen;
}

/// One rounding block of a panel with one token, given the exact sums of its groups.
template <class Traits, int first_group, class Header>
KERN_INLINE Floats scale_sums(const Header& header, const Ints* sums, const std::int32_t* corrections) {
  Floats s{};
  unroll<rounding_groups<Traits>>([&](auto g) __attribute__((always_inline)) {
    const Floats scale = header.template scale<first_group + g>();
    s = g == 0 ? to_floats(sums[first_group]) * scale : fused_lanes(to_floats(sums[first_group + g]), scale, s);
  });
  if constexpr (Traits::has_min) {
    Ints minimums{};
    unroll<corrections_per_block<Traits>>([&](auto p) __attribute__((always_inline)) {
      minimums = dot_pairs(minimums, header.template min_pair<p>(), corrections[p]);
    });
    s = fused_negated(to_floats(minimums), header.min_scale(), s);
  }
  return s;
}

/// out [P * 16]: P interleaved panels, `stride` bytes apart, times one token, straight from the packed codes. Two side
/// by side keep more of memory's lines in flight than one: 5% more bytes a second.
template <class Traits, int P>
void vector_product(const std::byte* panels, std::size_t stride, int columns, const TileChunk& x, float* out) {
  using Codec = PanelCodec<Traits>;
  constexpr int groups = Traits::width / Traits::group;
  constexpr int roundings = Traits::width / rounding_block<Traits>;
  constexpr int parts = panel_rows / lane_count;
  constexpr int words = Traits::group / 4;
  constexpr int steps = run_steps(Codec::max_code) < words ? run_steps(Codec::max_code) : words;
  const int blocks = columns / Traits::width;
  Floats result[P * parts] = {};
  const std::int32_t* x_codes = x.codes;
  const std::int32_t* corrections = x.corrections;
  for (int b = 0; b < blocks; ++b) {
    const auto product_of_part = [&](const std::byte* panel, int part, Floats& to) __attribute__((always_inline)) {
      const PanelSource source = panel_source<Traits>(panel, blocks, b, part * lane_count);
      Ints sums[groups];
      unroll<groups>([&](auto g) __attribute__((always_inline)) {
        sums[g] = Traits::has_min ? Ints{} : Ints{} + corrections[g];
      });
      Ints run[Traits::width / 4 / steps];
      Codec::codes(
          source, [&](int k, Words codes) __attribute__((always_inline)) {
            Ints& sum = sums[k * 4 / Traits::group];
            Ints& at = run[k / steps];
            if (k % steps == 0) at = start_run<Codec::max_code>(sum);
            at = add_to_run<Codec::max_code>(at, codes, x_codes[k]);
            if (k % steps == steps - 1) sum = end_run<Codec::max_code>(sum, at);
          });
      const typename Codec::Header header(source);
      unroll<roundings>([&](auto r) __attribute__((always_inline)) {
        const Floats s = scale_sums<Traits, r * rounding_groups<Traits>>(header, sums, corrections);
        to = fused_lanes(s, every_lane(x.scales[b * roundings + r]), to);
      });
    };
    unroll<P>([&](auto p) __attribute__((always_inline)) {
      const std::byte* panel = panels + p * stride;
      prefetch_block<Traits>(panel, b);
      // More than two copies of the longest loop body there is only take time to compile and room.
      if constexpr (parts <= 2)
        unroll<parts>([&](auto part)
                          __attribute__((always_inline)) { product_of_part(panel, part, result[p * parts + part]); });
      else
        for (int part = 0; part < parts; ++part) product_of_part(panel, part, result[p * parts + part]);
    });
    x_codes += Traits::width / 4;
    corrections += roundings * corrections_per_block<Traits>;
  }
  unroll<P * parts>([&](auto i) __attribute__((always_inline)) { store_vector(out + i * lane_count, result[i]); });
}
