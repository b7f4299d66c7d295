// config.json's quantization_config: how weights that aren't plain numbers are packed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "convert/checkpoint.h"
#include "convert/json_reader.h"
#include "convert/packed_rows.h"

namespace kern {

struct Quantization {
  enum class Kind { none, fp8, gptq, awq };
  Kind kind = Kind::none;
  std::vector<std::uint64_t> block; // fp8: [rows, columns] with a scale each; empty: none
  std::uint64_t group_size = 0;     // gptq, awq: columns with a scale; 0: all
  int zero_offset = 0;
};

/// Throws Error(model) for a method kern doesn't know, by name.
Quantization read_quantization(const std::filesystem::path& folder, const JsonObject& config);

/// Whether a tensor only describes how another is packed, or how activations are.
bool is_companion(const Quantization& quantization, std::string_view name);

/// The tensors of the packed matrix that holds "BASE.weight", for `codes`, its BASE.qweight. Throws Error(model).
PackedMatrix find_packed(const Checkpoint& checkpoint, const Quantization& quantization, const StoredTensor& codes);

} // namespace kern
