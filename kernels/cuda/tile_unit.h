// How a unit of 256 columns comes to a block that multiplies tiles of quantized weights: brought in the background,
// weights then unpacked to signed bytes and scales. A Layout says how many rows, tokens and threads a block has and
// where in a buffer things lie (tile_layout.h, warpgroup_layout.h).
#pragma once

#include "kernels/cuda/product_parts.h"
#include "kernels/cuda/weight_planes.h"

namespace kern::cuda {

/// Minimums of blocks of 256, and of roundings of 32.
template <class Traits> inline constexpr bool wide_minimums = Traits::has_min&& has_whole_scales<Traits>;
template <class Traits> inline constexpr bool narrow_minimums = Traits::has_min && !has_whole_scales<Traits>;

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

  KERN_DEVICE int token_of(unsigned token) const {
    const int wanted = first + static_cast<int>(token);
    return wanted < tokens ? wanted : tokens - 1;
  }
  /// Which of x's units, of roundings of 32; there are less than 2^31.
  KERN_DEVICE std::size_t unit_at(unsigned token, int unit) const {
    return static_cast<std::size_t>((first + static_cast<int>(token)) * x.units + unit);
  }
  KERN_DEVICE std::size_t unit_of(unsigned token, int unit) const {
    return static_cast<std::size_t>(token_of(token) * x.units + unit);
  }
};

/// Brings a unit of the block's tokens, rounded in blocks of 256.
template <class Layout>
KERN_DEVICE void fetch_wide_tokens(const Layout& layout, const TileTokens& from, int unit, unsigned char* buffer) {
  const auto thread = static_cast<unsigned>(thread_index());
  for (unsigned i = thread; i < layout.tokens() * 16; i += layout.threads()) {
    const auto token = static_cast<unsigned>(from.token_of(i / 16));
    const std::byte* tile = from.x.tile(static_cast<int>(token / RoundedTile::tokens), unit);
    const unsigned of_tile = token % RoundedTile::tokens;
    copy_async(buffer + layout.token_code(i / 16, i % 16), tile + RoundedTile::code(of_tile, i % 16));
    if (i % 16 == 0)
      copy_word_async(buffer + layout.token_scales() + Layout::token_place(i / 16) * 4,
                      tile + RoundedTile::scale(of_tile));
    if (wide_minimums<typename Layout::Format> && i % 16 < 2)
      copy_async(buffer + layout.token_sums(i / 16, i % 16), tile + RoundedTile::sum(of_tile, i % 16));
  }
}

/// The same, rounded in blocks of 32.
template <class Layout>
KERN_DEVICE void fetch_narrow_tokens(const Layout& layout, const TileTokens& from, int unit, unsigned char* buffer) {
  constexpr unsigned roundings = Unit<typename Layout::Format>::roundings;
  const auto thread = static_cast<unsigned>(thread_index());
  for (unsigned i = thread; i < layout.tokens() * 16; i += layout.threads())
    copy_async(buffer + layout.token_code(i / 16, i % 16),
               from.x.codes + from.unit_of(i / 16, unit) * unit_columns + i % 16 * 16);
  for (unsigned i = thread; i < layout.tokens() * roundings; i += layout.threads()) {
    const unsigned token = i / roundings;
    const unsigned place = (i % roundings * layout.tokens() + Layout::token_place(token)) * 4;
    const std::size_t source = from.unit_of(token, unit);
    copy_word_async(buffer + layout.token_scales() + place, from.x.scales + source * roundings + i % roundings);
    if constexpr (narrow_minimums<typename Layout::Format>)
      copy_word_async(buffer + layout.sums() + place, from.x.sums + source * 16 + i % roundings * 2);
  }
}
template <class Layout>
KERN_DEVICE void fetch_tokens(const Layout& layout, const TileTokens& from, int unit, unsigned char* buffer) {
  if constexpr (has_whole_scales<typename Layout::Format>) fetch_wide_tokens(layout, from, unit, buffer);
  else fetch_narrow_tokens(layout, from, unit, buffer);
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
  constexpr auto offset = static_cast<std::uint32_t>(UnitCodec<Traits>::offset);
  if constexpr (unpacks_products<Traits>() && Unit<Traits>::groups > 1) {
    const typename WeightPlanes<Traits>::Scale scale(codec.whole_scale(index * 4 / Traits::group));
    return WeightPlanes<Traits>(codes, scale).low;
  } else if constexpr (offset == 0) {
    return codes;
  } else {
    // Codes are below 128: adding 128 - offset to each carries nowhere, and leaves the top bits inverted.
    return (codes + (128u - offset) * 0x01010101u) ^ 0x80808080u;
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

/// What minimums of narrow roundings (Q4_1, Q5_1), which are -1, make of a rounding's sum, a pair of int16 halves:
/// what their scale is multiplied by.
KERN_DEVICE float added_sum(std::uint32_t pair) {
  const int sum = static_cast<std::int16_t>(pair & 0xFFFFu) + static_cast<std::int16_t>(pair >> 16);
  return -static_cast<float>(-sum);
}

} // namespace kern::cuda
