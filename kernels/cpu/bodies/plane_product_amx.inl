// Panels of formats with blocks of 256 columns times up to 16 tokens with the tile registers of AMX. Scales of groups
// are whole numbers there, so a weight's code times its scale is a whole number of at most 13 bits, and tile products
// add a block up without a stop: the low bits of all weights are one plane of bytes, the rest is another. Formats whose
// products fit a byte have the low plane alone. Sums of minimums come out of a tile product of bfloat16 as floats:
// every number in it is a whole one of at most eight bits, the sum one of 21, so nothing is rounded.
//
// A block of two panels with 16 tokens is 16 tile products of 16 cycles, 18 with minimums, four stores of tiles of
// about as many each, six with minimums, and five or six operations on vectors for each of its 32 results. It takes 590
// cycles, 750 with minimums; as groups that are scaled one by one it took 960 and 1120.

/// What products of planes need to know of a format. total = low + (high << shift)
template <int plane_count, int shift_bits, bool minimums> struct PlaneKind {
  static constexpr int block = 256;
  static constexpr int planes = plane_count;
  static constexpr int shift = shift_bits;
  static constexpr bool has_min = minimums; // then planes are unsigned
};

/// Formats with minimums have scales of six bits, or of four and codes of two.
template <class Traits>
using PlaneKindOf = PlaneKind<planes_of<Traits>, Traits::has_min ? plane_scale_bits : plane_bits, Traits::has_min>;

// Tiles 0 to 3 are sums [T][16 rows].
constexpr int plane_tokens_tile = 4;   // [T][64] activations, or [T][32] bfloat16 for minimums
constexpr int plane_low_tile = 5;      // [16][16 rows][4]: codes of 64 columns
constexpr int plane_high_tile = 6;     // the same
constexpr int plane_minimums_tile = 7; // sums of minimums

/// The sums of a block of P panels, as tile registers leave them.
template <class Kind, int P> struct alignas(64) PlaneSums {
  std::int32_t low[P][tile_tokens * panel_rows];
  std::int32_t high[Kind::planes > 1 ? P : 1][tile_tokens * panel_rows];
  float minimums[Kind::has_min ? P : 1][tile_tokens * panel_rows];
};

/// 64 columns of P panels, from `column` on.
template <class Kind, int P> KERN_INLINE void multiply_planes(const PanelChunk& chunk, int column, const std::byte* x) {
  load_tile<plane_tokens_tile>(x, 64);
  unroll<P>([&](auto p) __attribute__((always_inline)) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(column) * chunk_rows + p * panel_rows * 4;
    load_tile<plane_low_tile>(chunk.codes + at, chunk_rows * 4);
    multiply_tiles<p, plane_tokens_tile, plane_low_tile, Kind::has_min>();
    if constexpr (Kind::planes > 1) {
      load_tile<plane_high_tile>(chunk.high_codes + at, chunk_rows * 4);
      multiply_tiles<P + p, plane_tokens_tile, plane_high_tile, Kind::has_min>();
    }
  });
}

/// Begins the sums of panel `step`'s minimums and stores those of the panel before. A step apart, because tile
/// registers wait for each other: at once a block takes 900 cycles.
template <class Kind, int P>
KERN_INLINE void sum_minimums(const PanelChunk& chunk, int step, const std::int32_t* x, PlaneSums<Kind, P>& sums) {
  if (step >= 1 && step <= P) store_tile<plane_minimums_tile>(sums.minimums[step - 1], 64);
  if (step >= P) return;
  zero_tile<plane_minimums_tile>();
  load_tile<plane_tokens_tile>(x, 64);
  load_tile<plane_low_tile>(chunk.min_pairs + step * panel_rows, chunk_rows * 4);
  multiply_float_tiles<plane_minimums_tile, plane_tokens_tile, plane_low_tile>();
}

template <class Kind, int P>
KERN_INLINE void sum_planes(const PanelChunk& chunk, const TileChunk& x, int tokens, PlaneSums<Kind, P>& sums) {
  const auto* codes = reinterpret_cast<const std::byte*>(x.codes);
  unroll<Kind::planes * P>([](auto tile) __attribute__((always_inline)) { zero_tile<tile>(); });
  for (int step = 0; step < 4; ++step) {
    multiply_planes<Kind, P>(chunk, step * 64, codes + static_cast<std::ptrdiff_t>(step) * 64 * tokens);
    if constexpr (Kind::has_min) sum_minimums<Kind, P>(chunk, step, x.corrections, sums);
  }
  unroll<P>([&](auto p) __attribute__((always_inline)) {
    store_tile<p>(sums.low[p], 64);
    if constexpr (Kind::planes > 1) store_tile<P + p>(sums.high[p], 64);
  });
}

/// One block of P panels with `tokens` tokens.
template <class Kind, int P>
void plane_product(const PanelChunk& chunk, const TileChunk& x, int tokens, const TileResults& results) {
  PlaneSums<Kind, P> sums;
  sum_planes<Kind, P>(chunk, x, tokens, sums);
  unroll<P>([&](auto p) __attribute__((always_inline)) {
    const auto scale = load_vector<Floats>(chunk.scales + p * panel_rows);
    Floats min_scale{};
    if constexpr (Kind::has_min) min_scale = load_vector<Floats>(chunk.min_scales + p * panel_rows);
#pragma GCC unroll 4
    for (int t = 0; t < tokens; ++t) {
      auto total = load_vector<Ints>(sums.low[p] + t * panel_rows);
      if constexpr (Kind::planes > 1) total += load_vector<Ints>(sums.high[p] + t * panel_rows) << Kind::shift;
      Floats s = to_floats(total) * scale;
      if constexpr (Kind::has_min)
        s = fused_negated(load_vector<Floats>(sums.minimums[p] + t * panel_rows), min_scale, s);
      Floats result{};
      if (results.from) result = load_vector<Floats>(results.from + t * chunk_rows + p * panel_rows);
      store_vector(results.to + t * results.stride + p * panel_rows, fused_lanes(s, every_lane(x.scales[t]), result));
    }
  });
}
