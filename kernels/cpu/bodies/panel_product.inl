// A thread's share of a quantized matrix product: panel by panel, for as many tokens at a time as the second-level
// cache holds beside a panel. One token goes straight from the interleaved codes; several meet codes unpacked once.

struct ProductScratch {
  PanelChunk chunk;
  std::byte* panel;          // a run of k of an interleaved panel
  float* out;                // [product_tokens()][32]
  std::int32_t* corrections; // [product_tokens()][columns / 16]
};

KERN_INLINE ProductScratch carve_product(std::byte* scratch, int columns) {
  ProductScratch carved;
  carved.chunk = carve_panel_chunk(scratch);
  carved.panel = scratch + chunk_scratch_bytes;
  carved.out = reinterpret_cast<float*>(carved.panel + panel_scratch_bytes);
  carved.corrections = reinterpret_cast<std::int32_t*>(carved.out + product_tokens(columns) * chunk_rows);
  return carved;
}

/// Unpacks k [begin, end) of the panel that starts at `row`.
template <class Traits>
void unpack_chunk(const ProductShare& share, std::int64_t row, int begin, int end, std::byte* panel,
                  const PanelChunk& to) {
  constexpr int width = Traits::width;
  const int count = share.row_end - row < panel_rows ? static_cast<int>(share.row_end - row) : panel_rows;
  const std::byte* rows = share.weights + static_cast<std::size_t>(row) * share.row_bytes;
  if (share.interleaved)
    return unpack_panel<Traits>(rows, share.columns / width, begin / width, end / width, share.ahead, to);
  const int blocks = (end - begin) / width;
  const std::size_t offset = static_cast<std::size_t>(begin / width) * sizeof(typename Traits::Block);
  using Codec = PassingCodec<Traits>;
  interleave_blocks<Traits, Codec>(rows + offset, share.row_bytes, count, blocks, nullptr, panel);
  for (int b = 0; b < blocks; ++b) unpack_block<Traits, Codec>(panel, blocks, b, b, to);
}

/// Rows of a tile's result to where they belong.
KERN_INLINE void copy_results(const float* from, int tokens, int rows, float* to, std::int64_t stride) {
  for (int t = 0; t < tokens; ++t)
    for (int r = 0; r < rows; ++r) to[t * stride + r] = from[t * chunk_rows + r];
}

/// The lines where results will go, while they are worked out: a store that has to wait for its line holds up all
/// stores after it. AMX, Q8_0, 512 tokens: 212 G multiply-adds/s without, 266 with.
KERN_INLINE void prefetch_results(const float* to, int tokens, int rows, std::int64_t stride) {
  for (int t = 0; t < tokens; ++t)
    for (int r = 0; r < rows; r += 16) prefetch(to + t * stride + r);
}

/// Two panels (or the last one) with the tokens of tiles [first, last). `prepared`: how many tokens tile products are
/// prepared for.
template <class Traits>
void panel_product(const ProductShare& share, std::int64_t row, int first, int last, const ProductScratch& scratch,
                   int& prepared) {
  const int count = share.row_end - row < chunk_rows ? static_cast<int>(share.row_end - row) : chunk_rows;
  const int rows = count > panel_rows ? chunk_rows : panel_rows;
  const bool whole = count == rows;
  const std::ptrdiff_t corrections_per_token = share.columns / rounding_block<Traits> * corrections_per_block<Traits>;
  // Planes are two bytes a code: one block of them takes as much room as two of codes.
  constexpr int step = in_planes<Traits> ? rounding_block<Traits> : chunk_columns;
  for (int k = 0; k < share.columns; k += step) {
    const int end = k + step < share.columns ? k + step : share.columns;
    for (int panel = 0; panel < rows; panel += panel_rows)
      unpack_chunk<Traits>(share, row + panel, k, end, scratch.panel, scratch.chunk.from(panel));
    const std::int32_t* corrections = scratch.corrections;
    for (int tile = first; tile < last; ++tile) {
      const int tokens = tokens_of_tile(share.tokens, tile);
      if (tokens != prepared) prepare_tile_products<KindOf<Traits>>(prepared = tokens);
      const TileChunk x = tile_chunk<Traits>(share.quantized, tile, share.columns, k, corrections);
      corrections += corrections_per_token * tokens;
      float* target = share.out + static_cast<std::ptrdiff_t>(tile) * tile_tokens * share.out_stride + row;
      float* partial = scratch.out + (tile - first) * tile_tokens * chunk_rows;
      const bool straight = whole && end == share.columns;
      if (straight) prefetch_results(target, tokens, rows, share.out_stride);
      const TileResults results{k == 0 ? nullptr : partial, straight ? target : partial,
                                straight ? share.out_stride : chunk_rows};
      chunk_product<KindOf<Traits>>(scratch.chunk, rows, x, tokens, (end - k) / rounding_block<Traits>, results);
      if (!whole && end == share.columns) copy_results(partial, tokens, count, target, share.out_stride);
    }
  }
}

template <class Traits> void product_share_quantized(const ProductShare& share) {
  const ProductScratch scratch = carve_product(share.scratch, share.columns);
  const int tiles = (share.tokens + tile_tokens - 1) / tile_tokens;
  const int tiles_at_once = product_tokens(share.columns) / tile_tokens;
  const std::ptrdiff_t corrections_per_token = share.columns / rounding_block<Traits> * corrections_per_block<Traits>;
  int prepared = 0;
  for (int first = 0; first < tiles; first += tiles_at_once) {
    const int last = first + tiles_at_once < tiles ? first + tiles_at_once : tiles;
    const bool there = share.continues && tiles <= tiles_at_once;
    for (int tile = first; tile < last && !there; ++tile)
      prepare_corrections<Traits>(share.quantized, tile, share.columns,
                                  scratch.corrections + (tile - first) * tile_tokens * corrections_per_token);
    for (std::int64_t row = share.row_begin; row < share.row_end; row += chunk_rows)
      panel_product<Traits>(share, row, first, last, scratch, prepared);
  }
}
