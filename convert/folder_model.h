// A folder as transformers saves models, read as a source for a GGUF file: config.json, a tokenizer, safetensors.
// Names, keys, formats and the order of rows are those that llama.cpp's convert_hf_to_gguf.py gives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/model_source.h"
#include "quant/format_id.h"

namespace kern {

struct FolderOptions {
  bool vocabulary_only = false; // no weights, not even looked for
  bool keep_exact = true;       // matrices of GPTQ and AWQ in Q4_0 or Q4_1 where these hold the same weights
};

class FolderModel {
public:
  /// Reads all but the weights. Throws Error(model) in one line that says which file, what was found, what was
  /// expected: for damaged files, and for models, tokenizers and quantizations that kern doesn't know.
  static FolderModel open(const std::filesystem::path& folder, const FolderOptions& options);

  ~FolderModel();
  FolderModel(FolderModel&&) noexcept;
  FolderModel& operator=(FolderModel&&) noexcept;

  /// Refers to this.
  ModelSource source() const;
  /// What a GGUF file can't say of this model.
  const std::vector<std::string>& warnings() const;
  /// F16 or BF16: that of the first matrix in one of them, else F16.
  Format half_format() const;
  /// The folder's file for a type ("F16", "Q4_K_M", "vocab") as converters name it.
  std::filesystem::path default_output(std::string_view type) const;
  /// Whether a path is that of a file of the folder that isn't a GGUF file: nothing to write over.
  bool reads(const std::filesystem::path& path) const;

private:
  struct Parts;
  explicit FolderModel(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// Whether a path is a folder that such a model could lie in, rather than a file.
bool is_model_folder(const std::filesystem::path& path);

} // namespace kern
