// The rotation of a pair of a head's dimensions, as kernels/cpu/bodies/elementwise.inl has it.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.h"

namespace kern::cuda {

/// Rotates pair `pair` of the dims/2 pairs of a head x [head_dim]. table [dims]: cosines, then sines.
KERN_DEVICE void rotate_pair(RopePairs pairs, int dims, const float* table, int pair, float* x) {
  const int half = dims / 2;
  const float cosine = table[pair];
  const float sine = table[half + pair];
  const int first = pairs == RopePairs::halves ? pair : 2 * pair;
  const int second = pairs == RopePairs::halves ? pair + half : 2 * pair + 1;
  const float a = x[first];
  const float b = x[second];
  x[first] = fused(a, cosine, -(b * sine));
  x[second] = fused(a, sine, b * cosine);
}

} // namespace kern::cuda
