// The shared bodies, compiled once for each instruction set. Before including: define KERN_CPU_KERNELS (the table's
// name), KERN_CPU_NAME (its text) and KERN_CPU_ENCODE (the encoder for this instruction set).
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <type_traits>
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

#include "kernels/cpu/bodies/lane_math.inl"

#include "kernels/cpu/bodies/elementwise.inl"

#include "kernels/cpu/bodies/panel_bits.inl"

#include "kernels/cpu/bodies/panel_codecs.inl"

#include "kernels/cpu/bodies/grid_panel_codecs.inl"

#include "kernels/cpu/bodies/tiles.inl"

#include "kernels/cpu/bodies/panels.inl"

#include "kernels/cpu/bodies/interleave.inl"

#include "kernels/cpu/bodies/product_kind.inl"

#include "kernels/cpu/bodies/tile_product.inl"

#include "kernels/cpu/bodies/vector_product.inl"

#include "kernels/cpu/bodies/grid_rows.inl"

#include "kernels/cpu/bodies/float_product.inl"

#include "kernels/cpu/bodies/panel_product.inl"

#include "kernels/cpu/bodies/product.inl"

#include "kernels/cpu/bodies/quantize.inl"

#include "kernels/cpu/bodies/decode_row.inl"

#include "kernels/cpu/bodies/cache.inl"

#include "kernels/cpu/bodies/attention.inl"

#include "kernels/cpu/bodies/limits.inl"
} // namespace

const CpuKernels KERN_CPU_KERNELS = {
    KERN_CPU_NAME, product,       interleaved_row_bytes, interleave,      quantize_row,   arrange,
    decode_row,    rms_norm,      activate_silu,         rotate_heads,    store_position, attention,
    saturate_int8, saturate_fp32, read_memory,           KERN_CPU_ENCODE,
};

} // namespace kern
