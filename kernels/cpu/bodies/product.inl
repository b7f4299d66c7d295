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
  if constexpr (PanelCodec<Traits>::exists) {
    if (share.interleaved) {
      unpack_panel<Traits>(rows, share.columns / width, begin / width, end / width, to);
      return;
    }
    const int blocks = (end - begin) / width;
    const std::size_t offset = static_cast<std::size_t>(begin / width) * sizeof(typename Traits::Block);
    interleave_blocks<Traits>(rows + offset, share.row_bytes, count, blocks, panel);
    unpack_panel<Traits>(panel, blocks, 0, blocks, to);
  } else {
    unpack_rows<Traits>(rows, share.row_bytes, count, begin / width, end / width, to);
  }
}

/// Rows of a tile's result to where they belong.
KERN_INLINE void copy_results(const float* from, int tokens, int rows, float* to, std::int64_t stride) {
  for (int t = 0; t < tokens; ++t)
    for (int r = 0; r < rows; ++r) to[t * stride + r] = from[t * chunk_rows + r];
}

/// Two panels (or the last one) with the tokens of tiles [first, last).
template <class Traits>
void panel_product(const ProductShare& share, std::int64_t row, int first, int last, const ProductScratch& scratch) {
  const int count = share.row_end - row < chunk_rows ? static_cast<int>(share.row_end - row) : chunk_rows;
  const int rows = count > panel_rows ? chunk_rows : panel_rows;
  const bool whole = count == rows;
  const std::ptrdiff_t corrections_per_token = share.columns / rounding_block<Traits> * corrections_per_block<Traits>;
  for (int k = 0; k < share.columns; k += chunk_columns) {
    const int end = k + chunk_columns < share.columns ? k + chunk_columns : share.columns;
    for (int panel = 0; panel < rows; panel += panel_rows)
      unpack_chunk<Traits>(share, row + panel, k, end, scratch.panel, scratch.chunk.from(panel));
    const std::int32_t* corrections = scratch.corrections;
    for (int tile = first; tile < last; ++tile) {
      const int tokens = tokens_of_tile(share.tokens, tile);
      const TileChunk x = tile_chunk<Traits>(share.quantized, tile, share.columns, k, corrections);
      corrections += corrections_per_token * tokens;
      float* target = share.out + static_cast<std::ptrdiff_t>(tile) * tile_tokens * share.out_stride + row;
      float* partial = scratch.out + (tile - first) * tile_tokens * chunk_rows;
      const bool straight = whole && end == share.columns;
      const TileResults results{k == 0 ? nullptr : partial, straight ? target : partial,
                                straight ? share.out_stride : chunk_rows};
      chunk_product_for<KindOf<Traits>>(tokens)(scratch.chunk, rows, x, (end - k) / rounding_block<Traits>, results);
      if (!whole && end == share.columns) copy_results(partial, tokens, count, target, share.out_stride);
    }
  }
}

template <class Traits> void product_share_quantized(const ProductShare& share) {
  const ProductScratch scratch = carve_product(share.scratch, share.columns);
  const int tiles = (share.tokens + tile_tokens - 1) / tile_tokens;
  const int tiles_at_once = product_tokens(share.columns) / tile_tokens;
  const std::ptrdiff_t corrections_per_token = share.columns / rounding_block<Traits> * corrections_per_block<Traits>;
  for (int first = 0; first < tiles; first += tiles_at_once) {
    const int last = first + tiles_at_once < tiles ? first + tiles_at_once : tiles;
    for (int tile = first; tile < last; ++tile)
      prepare_corrections<Traits>(share.quantized, tile, share.columns,
                                  scratch.corrections + (tile - first) * tile_tokens * corrections_per_token);
    for (std::int64_t row = share.row_begin; row < share.row_end; row += chunk_rows)
      panel_product<Traits>(share, row, first, last, scratch);
  }
}

/// Copies of the longest loop body there is only take time to compile, and two parts of a panel are two already.
constexpr int panels_at_once = panel_rows == lane_count ? 2 : 1;

/// One token: straight from the interleaved codes.
template <class Traits> void product_share_vector(const ProductShare& share) {
  const ProductScratch scratch = carve_product(share.scratch, share.columns);
  if (!share.continues) prepare_corrections<Traits>(share.quantized, 0, share.columns, scratch.corrections);
  const TileChunk x = tile_chunk<Traits>(share.quantized, 0, share.columns, 0, scratch.corrections);
  const std::size_t stride = static_cast<std::size_t>(panel_rows) * share.row_bytes;
  const std::byte* panel = share.weights + static_cast<std::size_t>(share.row_begin) * share.row_bytes;
  std::int64_t row = share.row_begin;
  for (; row + panels_at_once * panel_rows <= share.row_end; row += panels_at_once * panel_rows) {
    vector_product<Traits, panels_at_once>(panel, stride, share.columns, x, share.out + row);
    panel += panels_at_once * stride;
  }
  for (; row < share.row_end; row += panel_rows, panel += stride) {
    vector_product<Traits, 1>(panel, stride, share.columns, x, scratch.out);
    const std::int64_t left = share.row_end - row;
    copy_results(scratch.out, 1, static_cast<int>(left < panel_rows ? left : panel_rows), share.out + row, 0);
  }
}

template <class... Traits>
KERN_INLINE void product_dispatch(Format format, const ProductShare& share, FormatList<Traits...>) {
  const auto one = [&]<class T>(T) {
    if (T::id != format) return;
    if constexpr (T::is_float) return product_share_float<T>(share);
    else if constexpr (PanelCodec<T>::exists)
      if (share.tokens == 1 && share.interleaved) return product_share_vector<T>(share);
    if constexpr (!T::is_float) product_share_quantized<T>(share);
  };
  (one(Traits{}), ...);
}

void product(Format format, const ProductShare& share) { product_dispatch(format, share, Formats{}); }

void interleave(Format format, const std::byte* rows, std::size_t row_bytes, int count, int columns, std::byte* panel) {
  visit_format(format, [&]<class T>(T) {
    if constexpr (PanelCodec<T>::exists) interleave_blocks<T>(rows, row_bytes, count, columns / T::width, panel);
  });
}

bool interleaves(Format format) {
  bool exists = false;
  visit_format(format, [&]<class T>(T) { exists = PanelCodec<T>::exists; });
  return exists;
}
