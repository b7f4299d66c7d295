// An instruction set that multiplies whole matrices: products of several tokens, with tiles and panels that lie as its
// instructions want them, and another set's kernels for all else. Before including: define KERN_OWN_TILES (the file
// with its tile products), KERN_OWN_LEAST_TOKENS (how many tokens are several), KERN_BASE_KERNELS (the other set's
// table), KERN_MAKE_KERNELS (the function that makes the table) and KERN_CPU_NAME (its text).
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

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

#include KERN_OWN_TILES

#include "kernels/cpu/bodies/panel_product.inl"

#include "kernels/cpu/bodies/quantize.inl"

void product(Format format, const ProductShare& share) {
  visit_format(format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float)
      if (share.tokens >= KERN_OWN_LEAST_TOKENS) {
        product_share_quantized<Traits>(share);
        return end_tile_products();
      }
    KERN_BASE_KERNELS.product(format, share);
  });
}

/// In the layout of the product that so many rows will meet.
void quantize(const float* x, int columns, int index, const QuantizedRows& out) {
  (out.rows >= KERN_OWN_LEAST_TOKENS ? quantize_row : KERN_BASE_KERNELS.quantize)(x, columns, index, out);
}
} // namespace

CpuKernels KERN_MAKE_KERNELS() {
  CpuKernels kernels = KERN_BASE_KERNELS;
  kernels.name = KERN_CPU_NAME;
  kernels.product = product;
  kernels.quantize = quantize;
  kernels.saturate_int8 = saturate_int8;
  return kernels;
}

} // namespace kern
