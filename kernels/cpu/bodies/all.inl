// The shared bodies, compiled once for each instruction set. Before including: define KERN_CPU_KERNELS (the table's
// name) and KERN_CPU_NAME (its text).
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/cpu/kernels.h"
#include "kernels/math.h"
#include "quant/formats.h"

namespace kern {

namespace {
#include "kernels/cpu/bodies/elementwise.inl"

#include "kernels/cpu/bodies/unpack.inl"

#include "kernels/cpu/bodies/group_sums.inl"

#include "kernels/cpu/bodies/product.inl"

#include "kernels/cpu/bodies/attention.inl"
} // namespace

const CpuKernels KERN_CPU_KERNELS = {
    KERN_CPU_NAME, product, quantize_row, decode_row, rms_norm, activate_silu, rotate_heads, store_position, attention,
};

} // namespace kern
