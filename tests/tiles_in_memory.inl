// Tile registers in memory, for processors that have none: what AMX's instructions do to them and what they refuse, by
// their definitions in Intel's Software Developer's Manual (volume 1, chapter 18; volume 2).

struct TilesInMemory {
  TileConfig config;
  bool configured = false;
  std::uint8_t bytes[8][16][64] = {};
};
inline thread_local TilesInMemory tiles_in_memory;

inline void require_of_tiles(bool fulfilled, const char* what) {
  if (fulfilled) return;
  std::fprintf(stderr, "tile registers: %s\n", what);
  std::abort();
}

inline void configure_tiles(const TileConfig& config) {
  require_of_tiles(config.palette == 1 && config.start_row == 0,
                   "ldtilecfg of another palette, or from a later row on");
  for (int tile = 0; tile < 16; ++tile) {
    const int rows = config.rows[tile], bytes = config.row_bytes[tile];
    require_of_tiles(tile < 8 ? rows <= 16 && bytes <= 64 && (rows == 0) == (bytes == 0) : rows + bytes == 0,
                     "ldtilecfg of a shape that no tile has");
  }
  tiles_in_memory = {config, true, {}};
}
inline void release_tiles() { tiles_in_memory = {}; }

/// A tile that an instruction may touch.
template <int tile> auto& tile_rows() {
  require_of_tiles(tiles_in_memory.configured && tiles_in_memory.config.rows[tile] > 0,
                   "a tile is touched that isn't configured");
  return tiles_in_memory.bytes[tile];
}

template <int tile> void zero_tile() { std::memset(tile_rows<tile>(), 0, sizeof tiles_in_memory.bytes[tile]); }

template <int tile> void load_tile(const void* from, std::ptrdiff_t stride) {
  zero_tile<tile>();
  for (int row = 0; row < tiles_in_memory.config.rows[tile]; ++row)
    std::memcpy(tiles_in_memory.bytes[tile][row], static_cast<const std::byte*>(from) + row * stride,
                tiles_in_memory.config.row_bytes[tile]);
}

template <int tile> void store_tile(void* to, std::ptrdiff_t stride) {
  auto& bytes = tile_rows<tile>();
  for (int row = 0; row < tiles_in_memory.config.rows[tile]; ++row)
    std::memcpy(static_cast<std::byte*>(to) + row * stride, bytes[row], tiles_in_memory.config.row_bytes[tile]);
}

/// sums[m][n] += product(four bytes of x[m], four of weights[.][n]), in groups of four along x's rows
template <int sums, int x, int weights, class Number, class Product> void multiply_fours(Product product) {
  const auto& config = tiles_in_memory.config;
  auto& to = tile_rows<sums>();
  const auto& left = tile_rows<x>();
  const auto& right = tile_rows<weights>();
  require_of_tiles(sums != x && sums != weights && x != weights, "a product of a tile with itself");
  require_of_tiles(config.row_bytes[x] == config.rows[weights] * 4 && config.row_bytes[x] % 4 == 0 &&
                       config.rows[sums] == config.rows[x] && config.row_bytes[sums] == config.row_bytes[weights] &&
                       config.row_bytes[sums] % 4 == 0,
                   "a product of tiles whose shapes don't match");
  for (int m = 0; m < config.rows[sums]; ++m)
    for (int n = 0; n < config.row_bytes[sums] / 4; ++n) {
      Number sum;
      std::memcpy(&sum, to[m] + n * 4, 4);
      for (int k = 0; k < config.row_bytes[x] / 4; ++k) sum += product(left[m] + k * 4, right[k] + n * 4);
      std::memcpy(to[m] + n * 4, &sum, 4);
    }
}

template <int sums, int x, int weights, bool unsigned_weights = false> void multiply_tiles() {
  multiply_fours<sums, x, weights, std::int32_t>([](const std::uint8_t* a, const std::uint8_t* b) {
    std::int32_t sum = 0;
    for (int i = 0; i < 4; ++i)
      sum += static_cast<std::int8_t>(a[i]) * (unsigned_weights ? b[i] : static_cast<std::int8_t>(b[i]));
    return sum;
  });
}

/// Pairs of bfloat16. kern's sums are whole numbers below 2^24, so that their order and rounding make no difference.
template <int sums, int x, int weights> void multiply_float_tiles() {
  multiply_fours<sums, x, weights, float>([](const std::uint8_t* a, const std::uint8_t* b) {
    const auto number = [](const std::uint8_t* from) {
      return bits_float(static_cast<std::uint32_t>(from[0] << 16 | from[1] << 24));
    };
    return number(a) * number(b) + number(a + 2) * number(b + 2);
  });
}
