// The headers that host and device share, compiled as device code: format codecs, elementary functions, page addresses.
#include "kernels/math.h"
#include "kernels/pages.h"
#include "quant/formats.h"

namespace kern {

template <class Traits> __global__ void decode_blocks(const typename Traits::Block* blocks, int count, float* out) {
  const int block = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (block < count) Traits::decode(blocks[block], out + block * Traits::width);
}

template __global__ void decode_blocks<F32>(const F32::Block*, int, float*);
template __global__ void decode_blocks<F16>(const F16::Block*, int, float*);
template __global__ void decode_blocks<BF16>(const BF16::Block*, int, float*);
template __global__ void decode_blocks<Q8_0>(const Q8_0::Block*, int, float*);
template __global__ void decode_blocks<Q4_0>(const Q4_0::Block*, int, float*);
template __global__ void decode_blocks<Q4_1>(const Q4_1::Block*, int, float*);
template __global__ void decode_blocks<Q5_0>(const Q5_0::Block*, int, float*);
template __global__ void decode_blocks<Q5_1>(const Q5_1::Block*, int, float*);
template __global__ void decode_blocks<Q2_K>(const Q2_K::Block*, int, float*);
template __global__ void decode_blocks<Q3_K>(const Q3_K::Block*, int, float*);
template __global__ void decode_blocks<Q4_K>(const Q4_K::Block*, int, float*);
template __global__ void decode_blocks<Q5_K>(const Q5_K::Block*, int, float*);
template __global__ void decode_blocks<Q6_K>(const Q6_K::Block*, int, float*);
template __global__ void decode_blocks<IQ1_S>(const IQ1_S::Block*, int, float*);
template __global__ void decode_blocks<IQ1_M>(const IQ1_M::Block*, int, float*);
template __global__ void decode_blocks<IQ2_XXS>(const IQ2_XXS::Block*, int, float*);
template __global__ void decode_blocks<IQ2_XS>(const IQ2_XS::Block*, int, float*);
template __global__ void decode_blocks<IQ2_S>(const IQ2_S::Block*, int, float*);
template __global__ void decode_blocks<IQ3_XXS>(const IQ3_XXS::Block*, int, float*);
template __global__ void decode_blocks<IQ3_S>(const IQ3_S::Block*, int, float*);
template __global__ void decode_blocks<IQ4_NL>(const IQ4_NL::Block*, int, float*);
template __global__ void decode_blocks<IQ4_XS>(const IQ4_XS::Block*, int, float*);
template __global__ void decode_blocks<MXFP4>(const MXFP4::Block*, int, float*);
template __global__ void decode_blocks<NVFP4>(const NVFP4::Block*, int, float*);
template __global__ void decode_blocks<TQ1_0>(const TQ1_0::Block*, int, float*);
template __global__ void decode_blocks<TQ2_0>(const TQ2_0::Block*, int, float*);
template __global__ void decode_blocks<Q1_0>(const Q1_0::Block*, int, float*);
template __global__ void decode_blocks<Q2_0>(const Q2_0::Block*, int, float*);

__global__ void elementary_functions(const float* x, const double* angle, float* out) {
  const int i = static_cast<int>(threadIdx.x);
  float sine;
  float cosine;
  sincos_f64(angle[i], &sine, &cosine);
  out[i] = exp_f32(x[i]) + sigmoid_f32(x[i]) + silu_f32(x[i]) + fused(sine, cosine, to_float(to_half(x[i])));
}

__global__ void cache_elements(const Half* keys, const Half* values, KvView view, int position, float* out) {
  const int d = static_cast<int>(threadIdx.x);
  out[d] = to_float(keys[key_index(d, slot_of(position))]) +
           to_float(values[value_index(slot_of(position), d, view.shape.value_dim)]);
}

} // namespace kern
