// What a step needs beside the weights: rounded activations and scratch for each thread, and how much memory that is.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/cpu_buffer.h"

namespace kern {

inline std::size_t align_up(std::size_t bytes) {
  constexpr std::size_t alignment = 64;
  return (bytes + alignment - 1) / alignment * alignment;
}

inline std::size_t quantized_bytes(int tokens, std::int64_t columns, int block) {
  const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(columns);
  return align_up(count) + align_up(count / static_cast<std::size_t>(block) * sizeof(float)) +
         align_up(count / 16 * sizeof(std::int16_t));
}

inline std::size_t arranged_floats(int tokens, std::int64_t columns) {
  return static_cast<std::size_t>(tokens) * 16 * static_cast<std::size_t>(float_lane_steps(columns));
}

/// Rounded for both block sizes, or arranged.
inline std::size_t activation_bytes(const StepLimits& limits) {
  return std::max(quantized_bytes(limits.tokens, limits.columns, 32) +
                      quantized_bytes(limits.tokens, limits.columns, 256),
                  align_up(arranged_floats(limits.tokens, limits.columns) * sizeof(float)));
}

inline std::size_t thread_scratch_bytes(const StepLimits& limits) {
  const std::size_t attention =
      attention_scratch_floats(limits.queries_per_key, limits.key_dim, limits.value_dim) * sizeof(float);
  return align_up(std::max(product_scratch_bytes(limits.columns), attention));
}

/// Activations as products take them, and scratch for each thread.
struct CpuBackend::Workspace {
  Workspace(const StepLimits& wanted, int threads)
      : limits(wanted), scratch_bytes(thread_scratch_bytes(wanted)), activations(activation_bytes(wanted)),
        scratch(scratch_bytes * static_cast<std::size_t>(threads)) {}

  QuantizedRows quantized(int block, int tokens, std::int64_t columns) {
    assert(tokens <= limits.tokens && columns <= limits.columns);
    const auto count = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(columns);
    std::byte* data = activations.data() + (block == 32 ? 0 : quantized_bytes(limits.tokens, limits.columns, 32));
    QuantizedRows rows;
    rows.block = block;
    rows.rows = tokens;
    rows.codes = reinterpret_cast<std::int8_t*>(data);
    data += align_up(count);
    rows.scales = reinterpret_cast<float*>(data);
    data += align_up(count / static_cast<std::size_t>(block) * sizeof(float));
    rows.sums = reinterpret_cast<std::int16_t*>(data);
    return rows;
  }
  /// In the same memory: no group of products takes both.
  float* arranged() { return reinterpret_cast<float*>(activations.data()); }
  std::byte* thread_scratch(int thread) { return scratch.data() + scratch_bytes * static_cast<std::size_t>(thread); }

  StepLimits limits;
  std::size_t scratch_bytes;
  CpuBuffer activations;
  CpuBuffer scratch;
};

} // namespace kern
