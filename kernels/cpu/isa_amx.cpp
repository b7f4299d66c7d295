// AVX-512 with VNNI (flags in CMakeLists.txt), and quantized products of several tokens in the tile registers of AMX.
#if !defined(KERN_TILE_REGISTERS) // tests have some in memory
#define KERN_TILE_REGISTERS "kernels/cpu/bodies/tile_registers_amx.inl"
#endif

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include <immintrin.h>

#include "kernels/cpu/kernels.h"
#include "kernels/math.h"
#include "quant/formats.h"

namespace kern {

namespace {
#include "kernels/cpu/bodies/lanes.inl"

#include "kernels/cpu/bodies/panel_bits.inl"

#include "kernels/cpu/bodies/panel_codecs.inl"

#include "kernels/cpu/bodies/grid_panel_codecs.inl"

#include "kernels/cpu/bodies/tiles.inl"

#include "kernels/cpu/bodies/panels.inl"

#include "kernels/cpu/bodies/interleave.inl"

#include "kernels/cpu/bodies/product_kind.inl"

#include "kernels/cpu/bodies/tile_product_amx.inl"

#include "kernels/cpu/bodies/panel_product.inl"

#include "kernels/cpu/bodies/quantize.inl"

/// From so many tokens on tile registers are faster: Q4_0 and Q4_K with 2 tokens take 1.6 and 1.7 times as long as
/// without, with 4 1.2 and 1.3 times, with 8 the same.
constexpr int least_tokens = 12;

void product(Format format, const ProductShare& share) {
  visit_format(format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float)
      if (share.tokens >= least_tokens) {
        product_share_quantized<Traits>(share);
        return release_tiles(); // a thread that switches needn't save them
      }
    avx512_kernels.product(format, share);
  });
}

/// In the layout of the product that so many rows will meet.
void quantize(const float* x, int columns, int index, const QuantizedRows& out) {
  (out.rows >= least_tokens ? quantize_row : avx512_kernels.quantize)(x, columns, index, out);
}

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
} // namespace

CpuKernels make_amx_kernels() {
  CpuKernels kernels = avx512_kernels;
  kernels.name = "amx";
  kernels.product = product;
  kernels.quantize = quantize;
  kernels.saturate_int8 = saturate_int8;
  return kernels;
}

} // namespace kern
