// One thread's share of a product of any format: the choice between its kernels.

/// Two panels side by side keep more of memory's lines in flight than one: 5% more bytes a second on Sapphire Rapids.
/// Zen 4 loses up to a half, and reads one. Copies of the longest loop body there is only take time to compile, and two
/// parts of a panel are two already.
constexpr int panels_at_once = panel_rows == lane_count ? 2 : 1;

/// One token: straight from the interleaved codes.
template <class Traits> void product_share_vector(const ProductShare& share) {
  const ProductScratch scratch = carve_product(share.scratch, share.columns);
  if (!share.continues) prepare_corrections<Traits>(share.quantized, 0, share.columns, scratch.corrections);
  const TileChunk x = tile_chunk<Traits>(share.quantized, 0, share.columns, 0, scratch.corrections);
  const std::size_t stride = static_cast<std::size_t>(panel_rows) * share.row_bytes;
  const std::byte* panel = share.weights + static_cast<std::size_t>(share.row_begin) * share.row_bytes;
  std::int64_t row = share.row_begin;
  if (share.ahead == CacheLevel::first)
    for (; row + panels_at_once * panel_rows <= share.row_end; row += panels_at_once * panel_rows) {
      vector_product<Traits, panels_at_once>(panel, stride, share.columns, share.ahead, x, share.out + row);
      panel += panels_at_once * stride;
    }
  for (; row < share.row_end; row += panel_rows, panel += stride) {
    const std::int64_t left = share.row_end - row;
    const bool whole = left >= panel_rows;
    vector_product<Traits, 1>(panel, stride, share.columns, share.ahead, x, whole ? share.out + row : scratch.out);
    if (!whole) copy_results(scratch.out, 1, static_cast<int>(left), share.out + row, 0);
  }
}

/// One token and rows as they lie in the file, for matrices that have no room in another layout: a run of columns after
/// the other is interleaved within the cache.
template <class Traits> void product_share_mapped(const ProductShare& share) {
  const ProductScratch scratch = carve_product(share.scratch, share.columns);
  if (!share.continues) prepare_corrections<Traits>(share.quantized, 0, share.columns, scratch.corrections);
  for (std::int64_t row = share.row_begin; row < share.row_end; row += panel_rows) {
    const std::int64_t left = share.row_end - row;
    const int count = left < panel_rows ? static_cast<int>(left) : panel_rows;
    const std::byte* rows = share.weights + static_cast<std::size_t>(row) * share.row_bytes;
    alignas(64) float out[panel_rows] = {};
    const std::byte* ahead = rows + panel_rows * share.row_bytes;
    for (int k = 0; k < share.columns; k += chunk_columns) {
      const int columns = share.columns - k < chunk_columns ? share.columns - k : chunk_columns;
      const int blocks = columns / Traits::width;
      const std::size_t bytes = static_cast<std::size_t>(blocks) * sizeof(typename Traits::Block);
      interleave_blocks<Traits, PassingCodec<Traits>>(rows, share.row_bytes, count, blocks, ahead, scratch.panel);
      ahead += bytes * panel_rows;
      const TileChunk x = tile_chunk<Traits>(share.quantized, 0, share.columns, k, scratch.corrections);
      vector_product<Traits, 1, true>(scratch.panel, 0, columns, share.ahead, x, out);
      rows += bytes;
    }
    copy_results(out, 1, count, share.out + row, 0);
  }
}

template <class... Traits>
KERN_INLINE void product_dispatch(Format format, const ProductShare& share, FormatList<Traits...>) {
  const auto one = [&]<class T>(T) {
    if (T::id != format) return;
    if constexpr (T::is_float) product_share_float<T>(share);
    else if (share.tokens > 1) product_share_quantized<T>(share);
    else if (share.interleaved) product_share_vector<T>(share);
    else if constexpr (multiplies_rows<T>) product_share_rows<T>(share);
    else product_share_mapped<T>(share);
  };
  (one(Traits{}), ...);
}

void product(Format format, const ProductShare& share) { product_dispatch(format, share, Formats{}); }

void interleave(Format format, const std::byte* rows, std::size_t row_bytes, int count, int columns, std::byte* panel) {
  visit_format(format, [&]<class T>(T) {
    if constexpr (!T::is_float)
      interleave_blocks<T, PanelCodec<T>>(rows, row_bytes, count, columns / T::width, nullptr, panel);
  });
}

std::size_t interleaved_row_bytes(Format format, std::int64_t columns) {
  std::size_t bytes = 0;
  visit_format(format, [&]<class T>(T) {
    if constexpr (!T::is_float) bytes = static_cast<std::size_t>(columns / T::width) * panel_block_bytes<PanelCodec<T>>;
  });
  return bytes;
}
