// The heart of every quantized product: 16 rows of an unpacked panel times a tile of tokens, and 16 rows of an
// interleaved panel times one token, in the canonical arithmetic of kernels/backend.h.

/// What a tile product needs to know of a format: formats with the same numbers share the code.
template <int group_columns, int rounding, bool minimums, int largest_code> struct ProductKind {
  static constexpr int group = group_columns;
  static constexpr int block = rounding;
  static constexpr bool has_min = minimums;
  static constexpr int max_code = largest_code;
};

/// Sets of instructions that take any unsigned code need no copy for each size of code.
constexpr int code_class(int max_code) { return wide_is_signed && max_code > 127 ? 255 : 127; }

template <class Traits>
using KindOf =
    ProductKind<Traits::group, rounding_block<Traits>, Traits::has_min, code_class(PanelCodec<Traits>::max_code)>;

/// out [T][stride], 16 rows each: the products over `blocks` rounding blocks, added to what is there unless `first`.
template <class Kind, int T>
void tile_product(const PanelChunk& panel, const TileChunk& x, int blocks, bool first, float* out,
                  std::int64_t stride) {
  constexpr int groups = Kind::block / Kind::group;
  constexpr int words = Kind::group / 4;
  constexpr int pairs = (groups + 1) / 2;
  for (int lane = 0; lane < panel_rows; lane += lane_count) {
    const std::uint8_t* codes = panel.codes + lane * 4;
    const float* scales = panel.scales + lane;
    const std::int32_t* x_codes = x.codes;
    const std::int32_t* corrections = x.corrections;
    Floats result[T];
    unroll<T>([&](auto t) __attribute__((always_inline)) {
      result[t] = first ? Floats{} : load_vector<Floats>(out + t * stride + lane);
    });
    for (int b = 0; b < blocks; ++b) {
      Floats s[T];
      unroll<T>([&](auto t) __attribute__((always_inline)) { s[t] = Floats{}; });
      for (int g = 0; g < groups; ++g) {
        Ints sum[T];
        unroll<T>([&](auto t)
                      __attribute__((always_inline)) { sum[t] = Kind::has_min ? Ints{} : Ints{} + corrections[t]; });
        if constexpr (!Kind::has_min) corrections += T;
#pragma GCC unroll 4
        for (int k = 0; k < words; ++k) {
          const Words lanes_codes = load_vector<Words>(codes);
          unroll<T>([&](auto t) __attribute__((always_inline)) {
            sum[t] = dot_bytes<Kind::max_code>(sum[t], lanes_codes, x_codes[t]);
          });
          codes += panel_rows * 4;
          x_codes += T;
        }
        const auto scale = load_vector<Floats>(scales);
        unroll<T>([&](auto t) __attribute__((always_inline)) {
          s[t] = groups == 1 ? to_floats(sum[t]) * scale : fused_lanes(to_floats(sum[t]), scale, s[t]);
        });
        scales += panel_rows;
      }
      if constexpr (Kind::has_min) {
        Ints minimums[T];
        unroll<T>([&](auto t) __attribute__((always_inline)) { minimums[t] = Ints{}; });
        for (int p = 0; p < pairs; ++p) {
          const auto pair = load_vector<Words>(panel.min_pairs + (b * pairs + p) * panel_rows + lane);
          unroll<T>([&](auto t)
                        __attribute__((always_inline)) { minimums[t] = dot_pairs(minimums[t], pair, corrections[t]); });
          corrections += T;
        }
        const auto min_scale = load_vector<Floats>(panel.min_scales + b * panel_rows + lane);
        unroll<T>([&](auto t) __attribute__((always_inline)) {
          s[t] = fused_negated(to_floats(minimums[t]), min_scale, s[t]);
        });
      }
      unroll<T>([&](auto t) __attribute__((always_inline)) {
        result[t] = fused_lanes(s[t], every_lane(x.scales[b * T + t]), result[t]);
      });
    }
    unroll<T>([&](auto t) __attribute__((always_inline)) { store_vector(out + t * stride + lane, result[t]); });
  }
}

using TileProduct = void (*)(const PanelChunk&, const TileChunk&, int, bool, float*, std::int64_t);

/// The copy for a number of tokens, 1..tile_tokens.
template <class Kind> TileProduct tile_product_for(int tokens) {
  TileProduct chosen = nullptr;
  unroll<tile_tokens>([&](auto t) {
    if (t + 1 == tokens) chosen = tile_product<Kind, t + 1>;
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

/// out [16]: an interleaved panel times one token, straight from the packed codes.
template <class Traits> void vector_product(const std::byte* panel, int columns, const TileChunk& x, float* out) {
  using Codec = PanelCodec<Traits>;
  constexpr int groups = Traits::width / Traits::group;
  constexpr int roundings = Traits::width / rounding_block<Traits>;
  constexpr int parts = panel_rows / lane_count;
  const int blocks = columns / Traits::width;
  Floats result[parts] = {};
  const std::int32_t* x_codes = x.codes;
  const std::int32_t* corrections = x.corrections;
  for (int b = 0; b < blocks; ++b) {
    unroll<parts>([&](auto part) __attribute__((always_inline)) {
      const PanelSource source = panel_source<Traits>(panel, blocks, b, part * lane_count);
      Ints sums[groups];
      unroll<groups>([&](auto g) __attribute__((always_inline)) {
        sums[g] = Traits::has_min ? Ints{} : Ints{} + corrections[g];
      });
      Codec::codes(
          source, [&](int k, Words codes) __attribute__((always_inline)) {
            Ints& sum = sums[k * 4 / Traits::group];
            sum = dot_bytes<Codec::max_code>(sum, codes, x_codes[k]);
          });
      const typename Codec::Header header(source);
      unroll<roundings>([&](auto r) __attribute__((always_inline)) {
        const Floats s = scale_sums<Traits, r * rounding_groups<Traits>>(header, sums, corrections);
        result[part] = fused_lanes(s, every_lane(x.scales[b * roundings + r]), result[part]);
      });
    });
    x_codes += Traits::width / 4;
    corrections += roundings * corrections_per_block<Traits>;
  }
  unroll<parts>([&](auto part) __attribute__((always_inline)) { store_vector(out + part * lane_count, result[part]); });
}
