// What a warp's lanes do together.
#pragma once

#include "kernels/cuda/device.h"

namespace kern::cuda {

inline constexpr int warp_lanes = 32;

KERN_DEVICE int lane_index() { return thread_index() % warp_lanes; }
KERN_DEVICE int warp_index() { return thread_index() / warp_lanes; }

/// The sum of squares of x [count] in shared memory or elsewhere, by the 16 strided lanes and the tree of the canonical
/// arithmetic, in every lane. Lanes 16..31 do what lanes 0..15 do. It takes count / 16 times the latency of an fma: 0.6
/// us for 4096; loads run ahead of it.
KERN_DEVICE float sum_of_squares(const float* x, int count) {
  constexpr int ahead = 16;
  float sum = 0.0f;
  int i = lane_index() % 16;
  for (; i + 16 * (ahead - 1) < count; i += 16 * ahead) {
    float values[ahead];
    KERN_UNROLL
    for (int j = 0; j < ahead; ++j) values[j] = x[i + 16 * j];
    KERN_UNROLL
    for (int j = 0; j < ahead; ++j) sum = fused(values[j], values[j], sum);
  }
  for (; i < count; i += 16) sum = fused(x[i], x[i], sum);
  for (int width = 8; width >= 1; width /= 2) sum += from_lane_xor(sum, width);
  return sum;
}

} // namespace kern::cuda
