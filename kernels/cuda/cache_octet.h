// Eight neighbouring numbers of a head's keys [dims][64] or values [64][dims], as the cache holds them and as floats.
#pragma once

#include "kernels/cuda/attention.h"
#include "kernels/pages.h"

namespace kern::cuda {

/// A head's keys or values in a page.
struct HeadCells {
  const std::byte* data;
  Format format;
  bool is_key;
  int dims;
};

/// Raw bytes, so that they can be on their way while something else is computed.
struct Octet {
  uint4 codes[2]; // f32 32 bytes, f16 16, q8_0 and q4_0 8
  uint4 scales;   // of blocks: keys eight, values one
};

/// Pairs that are inside a row only: for values whose rows aren't of whole 16 bytes.
template <class Pair> KERN_DEVICE void load_pairs(const std::byte* from, int count, Pair (&to)[4]) {
  KERN_UNROLL
  for (int i = 0; i < 4; ++i) to[i] = i < count ? reinterpret_cast<const Pair*>(from)[i] : Pair{};
}

/// Elements (row, column .. column + 7); what lies behind the dimensions is zero. `column` is a multiple of 8.
KERN_DEVICE Octet load_octet(const HeadCells& cells, int row, int column) {
  Octet octet{};
  const int width = cells.is_key ? page_positions : cells.dims;
  if ((cells.is_key ? row : column) >= cells.dims) return octet;
  const int element = row * width + column;
  if (cells.format == Format::f32 || cells.format == Format::f16) {
    const int size = cells.format == Format::f32 ? 4 : 2;
    const std::byte* from = cells.data + element * size;
    if (width % 8 == 0) {
      octet.codes[0] = load_once(reinterpret_cast<const uint4*>(from));
      if (size == 4) octet.codes[1] = load_once(reinterpret_cast<const uint4*>(from + 16));
    } else if (size == 2) {
      std::uint32_t pair[4];
      load_pairs(from, (width - column) / 2, pair);
      octet.codes[0] = {pair[0], pair[1], pair[2], pair[3]};
    } else {
      uint2 pair[4];
      load_pairs(from, (width - column) / 2, pair);
      octet.codes[0] = {pair[0].x, pair[0].y, pair[1].x, pair[1].y};
      octet.codes[1] = {pair[2].x, pair[2].y, pair[3].x, pair[3].y};
    }
    return octet;
  }
  const bool four_bits = cells.format == Format::q4_0;
  int at = element;
  if (four_bits && cells.is_key) at = (row / cache_block * 16 + row % 16) * page_positions + column;
  if (four_bits && !cells.is_key) at = row * (width / 2) + column / cache_block * 16 + column % 16;
  const uint2 codes = *reinterpret_cast<const uint2*>(cells.data + at);
  octet.codes[0].x = codes.x;
  octet.codes[0].y = codes.y;
  const std::byte* scales = cells.data + cells.dims * page_positions / (four_bits ? 2 : 1);
  if (cells.is_key)
    octet.scales =
        load_once(reinterpret_cast<const uint4*>(scales + (row / cache_block * page_positions + column) * 2));
  else
    octet.scales.x =
        *reinterpret_cast<const std::uint16_t*>(scales + (row * (width / cache_block) + column / cache_block) * 2);
  return octet;
}

/// The octet's numbers; (row, column) as it was loaded with.
KERN_DEVICE void widen_octet(const HeadCells& cells, const Octet& octet, int row, int column, float (&to)[8]) {
  const std::uint32_t word[8] = {octet.codes[0].x, octet.codes[0].y, octet.codes[0].z, octet.codes[0].w,
                                 octet.codes[1].x, octet.codes[1].y, octet.codes[1].z, octet.codes[1].w};
  if (cells.format == Format::f32) {
    KERN_UNROLL
    for (int i = 0; i < 8; ++i) to[i] = bits_float(word[i]);
    return;
  }
  if (cells.format == Format::f16) {
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float2 pair = widen_halves(word[i]);
      to[2 * i] = pair.x;
      to[2 * i + 1] = pair.y;
    }
    return;
  }
  const bool four_bits = cells.format == Format::q4_0;
  const int shift = (cells.is_key ? row : column) % cache_block < 16 ? 0 : 4;
  const std::uint32_t scales[4] = {octet.scales.x, octet.scales.y, octet.scales.z, octet.scales.w};
  const float one = widen_halves(octet.scales.x).x;
  KERN_UNROLL
  for (int i = 0; i < 8; ++i) {
    const std::uint32_t codes = four_bits ? word[i / 4] >> shift & 0x0F0F0F0Fu : word[i / 4] ^ 0x80808080u;
    const float2 scale = widen_halves(scales[i / 2]);
    to[i] = (!cells.is_key ? one : i % 2 == 0 ? scale.x : scale.y) * byte_less(codes, i % 4, four_bits ? 8.0f : 128.0f);
  }
}

} // namespace kern::cuda
