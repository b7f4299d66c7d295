// 16 rows of an unpacked panel times up to 16 tokens with the tile registers of AMX: the exact integer sum of every
// group comes out of one or more tile products, goes through memory, and meets its scales as everywhere else.
//
// Sums of the next groups are under way while one is scaled. From the first-level cache a tile of 16 x 16 x 32 takes
// about 60 cycles with blocks of 256 columns, 70 with minimums and 69 with blocks of 32 (tile instructions alone 30),
// where VNNI takes 110 to 150. While tile products are under way vectors have one port instead of two. (Sums that come
// out as bits of floats, 1.5 * 2^23 before them, spare a conversion, but cost a load of the tile they begin with: 75.)

/// Which rows and bytes of tile registers count. The fields of the instruction's 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// Products of planes use the tiles otherwise, see plane_product_amx.inl.
constexpr int sums_tile = 0;    // [T][16 rows] int32
constexpr int tokens_tile = 1;  // [T][K] activations
constexpr int weights_tile = 2; // [K / 4][16 rows][4] codes

/// Groups under way. Q4_K 70, 77 and 80 cycles with three, two and one, MXFP4 76, 78 and 69, others much the same.
template <class Kind> constexpr int groups_ahead = Kind::block > Kind::group ? 3 : 1;

#include KERN_TILE_REGISTERS

template <class Kind> constexpr int tile_columns = Kind::group < 32 ? Kind::group : 32;

#include "kernels/cpu/bodies/plane_product_amx.inl"

template <class Traits>
using KindOf = std::conditional_t<in_planes<Traits>, PlaneKindOf<Traits>,
                                  ProductKind<Traits::group, rounding_block<Traits>, Traits::has_min,
                                              code_class(PanelCodec<Traits>::max_code, Traits::group, false)>>;
template <class Kind> constexpr bool is_plane_kind = Kind::block == 256;

/// Has to be called before products with tiles of so many tokens. It takes hundreds of cycles.
template <class Kind> void prepare_tile_products(int tokens) {
  alignas(64) TileConfig config;
  if constexpr (is_plane_kind<Kind>) {
    for (int tile = 0; tile < 8; ++tile) {
      config.rows[tile] = static_cast<std::uint8_t>(tile == plane_low_tile || tile == plane_high_tile ? 16 : tokens);
      config.row_bytes[tile] = 64;
    }
    return configure_tiles(config);
  } else {
    config.rows[sums_tile] = config.rows[tokens_tile] = static_cast<std::uint8_t>(tokens);
    config.rows[weights_tile] = tile_columns<Kind> / 4;
    config.row_bytes[sums_tile] = config.row_bytes[weights_tile] = 64;
    config.row_bytes[tokens_tile] = tile_columns<Kind>;
    configure_tiles(config);
  }
}

/// The sums of a group [tokens][16], of activations and weights that begin with it.
template <class Kind>
KERN_INLINE void sum_group(const std::byte* x, std::ptrdiff_t x_step, const std::uint8_t* weights, std::int32_t* sums) {
  zero_tile<sums_tile>();
  unroll<Kind::group / tile_columns<Kind>>([&](auto step) __attribute__((always_inline)) {
    load_tile<tokens_tile>(x + step * x_step, tile_run<32>);
    load_tile<weights_tile>(weights + step * tile_columns<Kind> * chunk_rows, chunk_rows * 4);
    multiply_tiles<sums_tile, tokens_tile, weights_tile>();
  });
  store_tile<sums_tile>(sums, 64);
}

/// The results of T tokens with a panel: in registers where a rounding block is one group, else in memory, since the
/// sums of a block take the registers.
template <int T, bool in_registers> struct PanelResults {
  Floats values[T];
  KERN_INLINE Floats load(int t) const { return values[t]; }
  KERN_INLINE void store(int t, Floats value) { values[t] = value; }
};
template <int T> struct PanelResults<T, false> {
  alignas(64) float values[T * panel_rows];
  KERN_INLINE Floats load(int t) const { return load_vector<Floats>(values + t * panel_rows); }
  KERN_INLINE void store(int t, Floats value) { store_vector(values + t * panel_rows, value); }
};

/// What the minimums of block `b` take from s [T].
template <class Kind, int T>
KERN_INLINE void subtract_minimums(const PanelChunk& panel, const TileChunk& x, int tokens, int b, Floats* s) {
  constexpr int pairs = (Kind::block / Kind::group + 1) / 2;
  const std::int32_t* corrections = x.corrections + b * pairs * tokens;
  Words min_pairs[pairs];
  unroll<pairs>([&](auto p) __attribute__((always_inline)) {
    min_pairs[p] = load_vector<Words>(panel.min_pairs + (b * pairs + p) * chunk_rows);
  });
  const auto min_scale = load_vector<Floats>(panel.min_scales + b * chunk_rows);
  unroll<T>([&](auto t) __attribute__((always_inline)) {
    Ints minimums{};
    unroll<pairs>([&](auto p) __attribute__((always_inline)) {
      minimums = dot_pairs(minimums, min_pairs[p], corrections[p * tokens + t]);
    });
    s[t] = fused_negated(to_floats(minimums), min_scale, s[t]);
  });
}

/// One panel with T tokens, of which `tokens` count.
template <class Kind, int T>
void tile_product(const PanelChunk& panel, const TileChunk& x, int tokens, int blocks, const TileResults& results) {
  constexpr int groups = Kind::block / Kind::group;
  alignas(64) std::int32_t ring[groups_ahead<Kind> + 1][T * panel_rows];
  PanelResults<T, groups == 1> result;
  const auto each = [](auto&& f) __attribute__((always_inline)) { unroll<T>(f); };
  each([&](auto t) __attribute__((always_inline)) {
    result.store(t, results.from ? load_vector<Floats>(results.from + t * chunk_rows) : Floats{});
    for (auto& sums : ring) store_vector(sums + t * panel_rows, Ints{}); // for tokens that there aren't
  });
  // All in registers: to the compiler, tile instructions may change any memory.
  const auto* codes = reinterpret_cast<const std::byte*>(x.codes);
  const std::uint8_t* weights = panel.codes;
  const float* scales = panel.scales;
  const float* x_scales = x.scales;
  const std::ptrdiff_t x_step = static_cast<std::ptrdiff_t>(tile_run<32>) * tokens;
  int left = blocks * groups; // to be summed
  int half = 0;               // of a run of columns
  unsigned summed = 0;
  const auto sum_next = [&]() __attribute__((always_inline)) {
    if (left-- <= 0) return;
    sum_group<Kind>(codes + half, x_step, weights, ring[summed++ % std::size(ring)]);
    weights += Kind::group * chunk_rows;
    if constexpr (Kind::group == tile_run<32> / 2) {
      codes += half ? x_step : 0;
      half ^= Kind::group;
    } else {
      codes += Kind::group / tile_run<32> * x_step;
    }
  };
  for (int i = 0; i < groups_ahead<Kind>; ++i) sum_next();
  unsigned scaled = 0;
  for (int b = 0; b < blocks; ++b) {
    Floats s[T];
    each([&](auto t) __attribute__((always_inline)) { s[t] = Floats{}; });
    for (int g = 0; g < groups; ++g) {
      sum_next();
      const std::int32_t* sums = ring[scaled++ % std::size(ring)];
      const auto scale = load_vector<Floats>(scales);
      scales += chunk_rows;
      each([&](auto t) __attribute__((always_inline)) {
        const Floats sum = to_floats(load_vector<Ints>(sums + t * panel_rows));
        s[t] = groups == 1 ? sum * scale : fused_lanes(sum, scale, s[t]);
      });
    }
    if constexpr (Kind::has_min) subtract_minimums<Kind, T>(panel, x, tokens, b, s);
    each([&](auto t) __attribute__((always_inline)) {
      result.store(t, fused_lanes(s[t], every_lane(x_scales[t]), result.load(t)));
    });
    x_scales += tokens;
  }
  each([&](auto t) __attribute__((always_inline)) {
    if (t < tokens) store_vector(results.to + t * results.stride, result.load(t));
  });
}

/// `rows` rows (a multiple of 16) of a chunk with a tile of tokens, in one of a few sizes.
template <class Kind>
void chunk_product(const PanelChunk& chunk, int rows, const TileChunk& x, int tokens, int blocks,
                   const TileResults& results) {
  if constexpr (is_plane_kind<Kind>) {
    if (rows == chunk_rows) return plane_product<Kind, 2>(chunk, x, tokens, results);
    return plane_product<Kind, 1>(chunk, x, tokens, results);
  } else
    for (int lane = 0; lane < rows; lane += panel_rows) {
      const PanelChunk panel = chunk.from(lane);
      if (tokens > 8) tile_product<Kind, 16>(panel, x, tokens, blocks, results.at(lane));
      else if (tokens > 4) tile_product<Kind, 8>(panel, x, tokens, blocks, results.at(lane));
      else tile_product<Kind, 4>(panel, x, tokens, blocks, results.at(lane));
    }
}

/// A thread that switches needn't save the tiles then.
KERN_INLINE void end_tile_products() { release_tiles(); }

/// Multiply-adds of int8 codes done.
std::int64_t saturate_int8(std::int64_t rounds) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) {
    config.rows[tile] = 16;
    config.row_bytes[tile] = 64;
  }
  configure_tiles(config);
  for (std::int64_t i = 0; i < rounds; ++i) {
    multiply_tiles<0, 4, 6>();
    multiply_tiles<1, 4, 7>();
    multiply_tiles<2, 5, 6>();
    multiply_tiles<3, 5, 7>();
  }
  release_tiles();
  return rounds * 4 * 16 * 16 * 64;
}
