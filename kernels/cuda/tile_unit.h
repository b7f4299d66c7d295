// How a unit of 256 columns comes to a block that multiplies tiles of quantized weights: brought in the background,
// weights then unpacked to signed bytes and scales. A Layout says how many rows, tokens and threads a block has and
// where in a buffer things lie (tile_layout.h).
#pragma once

#include "kernels/cuda/product_parts.h"
#include "kernels/cuda/weight_planes.h"

namespace kern::cuda {

/// Minimums of blocks of 256, and of roundings of 32.
template <class Traits> inline constexpr bool wide_minimums = Traits::has_min ? has_whole_scales<Traits> : false;
template <class Traits> inline constexpr bool narrow_minimums = !has_whole_scales<Traits> && Traits::has_min;

/// Where panels of a block begin.
struct TilePanels {
  const std::byte* begin[8];

  template <class Layout>
  KERN_DEVICE void find(const Layout& layout, const PanelList& list, int first_slot, int units) {
    const int panel = thread_index();
    if (panel >= static_cast<int>(layout.rows() / panel_rows)) return;
    const PanelPlace place = list.place_within(first_slot + panel);
    begin[panel] = list.parts[place.part].weights + static_cast<std::size_t>(place.panel) *
                                                        static_cast<std::size_t>(units) *
                                                        Unit<typename Layout::Format>::panel_bytes;
  }
};

/// Brings a unit of the block's panels, as they lie.
template <class Layout>
KERN_DEVICE void fetch_weights(const Layout& layout, const TilePanels& panels, int unit, unsigned char* buffer) {
  constexpr unsigned panel_bytes = Unit<typename Layout::Format>::panel_bytes;
  constexpr unsigned pieces = panel_bytes / 16;
  const std::size_t first = static_cast<std::size_t>(unit) * panel_bytes;
  unsigned char* raw = buffer + layout.raw();
  for (auto i = static_cast<unsigned>(thread_index()); i < layout.rows() / panel_rows * pieces; i += layout.threads())
    copy_async(raw + i * 16, panels.begin[i / pieces] + first + i % pieces * 16);
}

/// Tokens of a tile; those behind the last are the last one again.
struct TileTokens {
  const RoundedRows& x;
  int tokens, first;

  KERN_DEVICE unsigned token_of(unsigned token) const {
    const int wanted = first + static_cast<int>(token);
    return static_cast<unsigned>(wanted < tokens ? wanted : tokens - 1);
  }
};

/// Brings a unit of the block's tokens.
template <class Layout>
KERN_DEVICE void fetch_tokens(const Layout& layout, const TileTokens& from, int unit, unsigned char* buffer) {
  using Traits = typename Layout::Format;
  using Tile = RoundedTile<Unit<Traits>::rounding>;
  const auto thread = static_cast<unsigned>(thread_index());
  const auto tile_of = [&](unsigned token) {
    return from.x.tile<Unit<Traits>::rounding>(static_cast<int>(token / Tile::tokens), unit);
  };
  for (unsigned i = thread; i < layout.tokens() * 16; i += layout.threads()) {
    const unsigned token = from.token_of(i / 16);
    copy_async(buffer + layout.token_code(i / 16, i % 16), tile_of(token) + Tile::code(token % Tile::tokens, i % 16));
  }
  for (unsigned i = thread; i < layout.tokens() * Tile::roundings; i += layout.threads()) {
    const unsigned of_tile = i & (layout.tokens() - 1);
    const unsigned rounding = i / layout.tokens();
    const unsigned token = from.token_of(of_tile);
    const unsigned place = (rounding * layout.tokens() + Layout::token_place(of_tile)) * 4;
    const std::byte* source = tile_of(token);
    copy_word_async(buffer + layout.token_scales() + place, source + Tile::scale(token % Tile::tokens, rounding));
    if constexpr (narrow_minimums<Traits>)
      copy_word_async(buffer + layout.sums() + place, source + Tile::sum(token % Tile::tokens, rounding));
  }
  if constexpr (wide_minimums<Traits>)
    for (unsigned i = thread; i < layout.tokens() * 2; i += layout.threads()) {
      const unsigned token = from.token_of(i / 2);
      copy_async(buffer + layout.token_sums(i / 2, i % 2), tile_of(token) + Tile::sum(token % Tile::tokens, i % 2));
    }
}

/// Four minimums as bytes: of 16 columns each, from 64 * quarter.
template <class Traits> KERN_DEVICE std::uint32_t pack_minimums(const UnitCodec<Traits>& codec, int quarter) {
  std::uint32_t minimums = 0;
  KERN_UNROLL
  for (int i = 0; i < 4; ++i)
    minimums |= static_cast<std::uint32_t>(codec.minimum((quarter * 4 + i) * Unit<Traits>::groups / 16)) << (8 * i);
  return minimums;
}

/// Whether a block's codes are multiplied by their scales when they are unpacked: all of it is one exact sum then.
template <class Traits> KERN_INLINE constexpr bool unpacks_products() {
  if constexpr (!has_whole_scales<Traits>) return false;
  else return WeightPlanes<Traits>::count == 1;
}

/// Weights 4 * index .. 4 * index + 3 as signed bytes: codes, or products with scales.
template <class Traits> KERN_DEVICE std::uint32_t signed_weights(const UnitCodec<Traits>& codec, int index) {
  const std::uint32_t codes = codec.codes(index / 8, index / 4 % 2, index % 4);
  if constexpr (unpacks_products<Traits>() && Unit<Traits>::groups > 1) {
    const typename WeightPlanes<Traits>::Scale scale(codec.whole_scale(index * 4 / Traits::group));
    return WeightPlanes<Traits>(codes, scale).low;
  } else {
    return signed_bytes<UnitCodec<Traits>::offset>(codes);
  }
}

/// The scales of a quarter of a row's unit: floats, or whole numbers and the block's.
template <int quarter, class Layout>
KERN_DEVICE void unpack_scales(const Layout& layout, const UnitCodec<typename Layout::Format>& codec, int row,
                               unsigned char* buffer) {
  using Traits = typename Layout::Format;
  constexpr int groups = Unit<Traits>::groups;
  unsigned char* to = buffer + layout.scales() + Layout::row_place(row) * 4;
  KERN_UNROLL
  for (int g = quarter * groups / 4; g < (quarter + 1) * groups / 4; ++g) {
    if constexpr (!has_whole_scales<Traits>) *reinterpret_cast<float*>(to + g * layout.rows() * 4) = codec.scale(g);
    else if constexpr (!unpacks_products<Traits>())
      *reinterpret_cast<int*>(to + g * layout.rows() * 4) = codec.whole_scale(g);
  }
  if constexpr (has_whole_scales<Traits> && quarter == 0)
    reinterpret_cast<float*>(buffer + layout.block_scales())[Layout::row_place(row)] = codec.block_scale();
}

/// A quarter of a row's unit: 64 weights as signed bytes, and the scales of their groups.
template <int quarter, class Layout>
KERN_DEVICE void unpack_quarter(const Layout& layout, int row, unsigned char* buffer) {
  using Traits = typename Layout::Format;
  UnitCodec<Traits> codec;
  codec.words.template load<UnitHome::shared>(reinterpret_cast<const std::byte*>(buffer) + layout.raw() +
                                                  row / panel_rows * Unit<Traits>::panel_bytes,
                                              row % panel_rows);
  const auto weights = [&](int index) { return signed_weights<Traits>(codec, quarter * 16 + index); };
  KERN_UNROLL
  for (int piece = 0; piece < 4; ++piece)
    *reinterpret_cast<uint4*>(buffer + layout.weight_code(row, quarter * 4 + piece)) =
        uint4{weights(piece * 4), weights(piece * 4 + 1), weights(piece * 4 + 2), weights(piece * 4 + 3)};
  unpack_scales<quarter>(layout, codec, row, buffer);
  auto* min_scales = reinterpret_cast<float*>(buffer + layout.min_scales()) + Layout::row_place(row);
  if constexpr (narrow_minimums<typename Layout::Format>) {
    KERN_UNROLL
    for (int r = quarter * 2; r < quarter * 2 + 2; ++r) min_scales[r * layout.rows()] = codec.min_scale(r);
  }
  if constexpr (wide_minimums<typename Layout::Format>) {
    layout.store_minimums(buffer, row, quarter, pack_minimums(codec, quarter));
    if constexpr (quarter == 0) *min_scales = codec.min_scale(0);
  }
}

/// The weights that have come to a buffer, as codes and scales beside them; warps take quarters of 32 rows.
template <class Layout> KERN_DEVICE void unpack_weights(const Layout& layout, unsigned char* buffer) {
  const auto thread = static_cast<unsigned>(thread_index());
  const unsigned bits = layout.row_bits(); // 32 rows, times two so often
  for (unsigned task = thread / 32; task < 4u << bits; task += layout.threads() / 32) {
    const int row = static_cast<int>((task & ((1u << bits) - 1)) * 32 + thread % 32);
    const unsigned quarter = task >> bits;
    if (quarter == 0) unpack_quarter<0>(layout, row, buffer);
    else if (quarter == 1) unpack_quarter<1>(layout, row, buffer);
    else if (quarter == 2) unpack_quarter<2>(layout, row, buffer);
    else unpack_quarter<3>(layout, row, buffer);
  }
}

} // namespace kern::cuda
