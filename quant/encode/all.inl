// The encoders, compiled once for each instruction set. Before including: define KERN_ENCODE, the function's name.
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "quant/code_tables.h"
#include "quant/encode/encode.h"
#include "quant/formats.h"

namespace kern {

namespace {

#include "quant/encode/lanes.inl"

#include "quant/encode/levels.inl"

#include "quant/encode/fit.inl"

#include "quant/encode/blocks.inl"

#include "quant/encode/encoders.inl"

#include "quant/encode/grids.inl"

#include "quant/encode/grid_encoders.inl"

using EncodeBlocks = void (*)(const EncodeShare& share, std::int64_t first, int count);

EncodeBlocks encoder_of(Format format) {
  switch (format) {
  case Format::q4_0: return encode_scaled<Q4_0, Integers<-8, 7>>;
  case Format::q5_0: return encode_scaled<Q5_0, Integers<-16, 15>>;
  case Format::q8_0: return encode_scaled<Q8_0, FineIntegers<127, 1>>;
  case Format::iq4_nl: return encode_scaled<IQ4_NL, Uneven>;
  case Format::q1_0: return encode_scaled<Q1_0, SignsOnly>;
  case Format::q2_0: return encode_scaled<Q2_0, Integers<-1, 2>>;
  case Format::tq1_0: return encode_scaled<TQ1_0, Ternary>;
  case Format::tq2_0: return encode_scaled<TQ2_0, Ternary>;
  case Format::q4_1: return encode_affine<Q4_1, Integers<0, 15>, 15>;
  case Format::q5_1: return encode_affine<Q5_1, Integers<0, 31>, 31>;
  case Format::q3_k: return encode_scaled_groups<Q3_K, Integers<-4, 3>, Integers<-32, 31>>;
  case Format::q6_k: return encode_scaled_groups<Q6_K, Integers<-32, 31>, Integers<-128, 127>>;
  case Format::iq4_xs: return encode_scaled_groups<IQ4_XS, Uneven, Integers<-32, 31>>;
  case Format::q2_k: return encode_affine_groups<Q2_K, Integers<0, 3>, 3, Integers<0, 15>>;
  case Format::q4_k: return encode_affine_groups<Q4_K, Integers<0, 15>, 15, Integers<0, 63>>;
  case Format::q5_k: return encode_affine_groups<Q5_K, Integers<0, 31>, 31, Integers<0, 63>>;
  case Format::mxfp4: return encode_byte_scaled<MXFP4, PowerOfTwo>;
  case Format::nvfp4: return encode_byte_scaled<NVFP4, HalfE4M3>;
  case Format::iq1_s: return encode_grid<IQ1_S>;
  case Format::iq1_m: return encode_grid<IQ1_M>;
  case Format::iq2_xxs: return encode_grid<IQ2_XXS>;
  case Format::iq2_xs: return encode_grid<IQ2_XS>;
  case Format::iq2_s: return encode_grid<IQ2_S>;
  case Format::iq3_xxs: return encode_grid<IQ3_XXS>;
  case Format::iq3_s: return encode_grid<IQ3_S>;
  default: return nullptr;
  }
}

} // namespace

void KERN_ENCODE(Format format, const EncodeShare& share) {
  if (format == Format::f32) {
    __builtin_memcpy(share.out, share.x, static_cast<std::size_t>(share.blocks) * sizeof(float));
    return;
  }
  if (format == Format::f16) {
    auto* out = reinterpret_cast<Half*>(share.out);
    for (std::int64_t i = 0; i < share.blocks; ++i) out[i] = to_half(share.x[i]);
    return;
  }
  if (format == Format::bf16) {
    auto* out = reinterpret_cast<BFloat16*>(share.out);
    for (std::int64_t i = 0; i < share.blocks; ++i) out[i] = to_bfloat16(share.x[i]);
    return;
  }
  const EncodeBlocks encode = encoder_of(format);
  for (std::int64_t first = 0; first < share.blocks; first += lane_count) {
    const std::int64_t left = share.blocks - first;
    encode(share, first, static_cast<int>(left < lane_count ? left : lane_count));
  }
}

} // namespace kern
