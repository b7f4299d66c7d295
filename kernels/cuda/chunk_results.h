// What chunks of keys leave in device memory until they are merged.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/runtime.h"

namespace kern::cuda {

/// (m, l, o) of chunks. Entry [token][head][chunk], the chunk counted from the first that the token sees.
struct ChunkResults {
  float* o; // [tokens][heads][pages][o_stride]
  float* m; // [tokens][heads][pages]: the maximum of the scores
  float* l; // [tokens][heads][pages]: the sum of the weights
  int pages;
  int o_stride; // value_dim up to a multiple of 32

  static int stride(const AttentionShape& shape) { return (shape.value_dim + 31) / 32 * 32; }
  static std::size_t entries(const AttentionShape& shape, int tokens, int pages) {
    return static_cast<std::size_t>(tokens) * static_cast<std::size_t>(shape.heads) * static_cast<std::size_t>(pages);
  }
  static std::size_t bytes(const AttentionShape& shape, int tokens, int pages) {
    return entries(shape, tokens, pages) * static_cast<std::size_t>(stride(shape) + 2) * sizeof(float);
  }

  /// memory: `bytes`, 256-byte aligned
  ChunkResults(std::byte* memory, const AttentionShape& shape, int tokens, int pages_of_sequence)
      : o(reinterpret_cast<float*>(memory)), pages(pages_of_sequence), o_stride(stride(shape)) {
    const std::size_t count = entries(shape, tokens, pages);
    m = o + count * static_cast<std::size_t>(o_stride);
    l = m + count;
  }
  KERN_DEVICE std::int64_t entry(std::int64_t token, int heads, int head) const {
    return (token * heads + head) * static_cast<std::int64_t>(pages);
  }
};

/// out [n][heads * value_dim] = the results of each token's and head's chunks, merged from left to right.
void launch_merge_chunks(Device& device, const AttentionShape& shape, const StepInputs& step,
                         const ChunkResults& results, float* out);

} // namespace kern::cuda
