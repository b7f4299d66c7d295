// Models with random weights in real shapes and any format, for tests and benchmarks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "quant/formats.h"

namespace kern::test {

struct ModelShape {
  const char* name;
  const char* architecture;
  int dim, layers, heads, kv_heads, head_dim, hidden_dim, vocab_size, context;
  double rope_base;
  bool tied;
};

/// TinyLlama-1.1B, Llama-3.2-1B, Qwen3-0.6B, Llama-3.1-8B, and a tiny one.
const std::vector<ModelShape>& model_shapes();
/// Throws std::invalid_argument naming the known ones.
const ModelShape& find_shape(const std::string& name);

struct RandomModel {
  ModelShape shape;
  Format format = Format::f32;        // of all matrices
  Format output_format = Format::f32; // of the output matrix, or of the tied table
  std::uint64_t seed = 1;
  bool as_floats = false; // the same weights, decoded to F32
};

/// Writes a GGUF file with a byte-level vocabulary that spells any text; llama.cpp reads it too. Memory: one row of
/// weights at a time.
void write_random_model(const RandomModel& model, const std::filesystem::path& path);
std::vector<std::byte> random_model_bytes(const RandomModel& model);

} // namespace kern::test
