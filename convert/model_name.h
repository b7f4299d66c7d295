// What a model is called: general.* keys and file names, from names as people give them to repositories and folders.
// The heuristics are those of llama.cpp's gguf-py (metadata.py, utility.py), so that names come out alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "convert/keys.h"

namespace kern {

/// "Qwen/Qwen2.5-0.5B-Instruct" in parts. All but `name` may be missing.
struct NameParts {
  std::optional<std::string> name;         // Qwen2.5-0.5B-Instruct
  std::optional<std::string> organization; // Qwen
  std::optional<std::string> basename;     // Qwen2.5
  std::optional<std::string> finetune;     // Instruct
  std::optional<std::string> version;
  std::optional<std::string> size_label; // 0.5B
};

/// `weights`: how many the model has, 0 where that isn't known: tells sizes from context lengths.
NameParts split_model_name(std::string_view id, std::uint64_t weights);

/// "tiny-llama-v1.1" -> "Tiny Llama v1.1"
std::string title_of(std::string_view id);

/// "1.5B", "630K": two digits at least.
std::string size_label(std::uint64_t weights);

/// What is known of a model's name so far: the first that says something counts.
struct ModelNames {
  std::optional<std::string> name;
  NameParts parts;

  void add(const NameParts& other);
  void write(Keys& keys) const;
  /// "Qwen2.5-0.5B-Instruct-F16", without .gguf. `type`: F16, BF16...; "vocab" for a file without weights.
  std::string file_stem(std::string_view type) const;
};

} // namespace kern
