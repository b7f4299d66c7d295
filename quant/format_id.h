// The numbers by which GGUF files name tensor formats.
#pragma once

#include <cstdint>

namespace kern {

/// Values are those of `enum ggml_type` in ggml.h: they stand in files and are never renumbered.
enum class Format : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30,
};

} // namespace kern
