// What each tensor of a model becomes, and how large the file is then.
#pragma once

#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "model/importance.h"
#include "model/model_source.h"
#include "quant/mix.h"

namespace kern {

struct QuantizeOptions {
  const Mix* mix = nullptr;
  bool pure = false;         // every matrix in the mix's own format
  bool leave_output = false; // output.weight stays as it is
  bool allow_requantize = false;
  bool keep_quantized = false; // tensors that are quantized stay as they are
  std::optional<Format> output_format;
  std::optional<Format> embedding_format;
  struct Override {
    std::regex pattern; // searched in the tensor's name
    Format format;
  };
  std::vector<Override> overrides;
  /// By tensor, instead of what the mix says.
  const std::map<std::string, Format, std::less<>>* chosen = nullptr;
};

struct PlannedTensor {
  const TensorInfo* tensor = nullptr;
  Format format{};
  std::optional<Format> wanted; // where rows don't fit it
  bool is_free = false;         // the mix's choice, that nobody asked for by name
};

struct QuantizePlan {
  std::vector<PlannedTensor> tensors; // in the file's order
  std::uint32_t file_type = 0;        // general.file_type
  std::uint64_t bytes_before = 0;     // tensor data
  std::uint64_t bytes_after = 0;
  std::uint64_t weights = 0;
  int quantized = 0;          // tensors whose format changes to one that loses something
  int unweighed = 0;          // of them, to a format that needs one, where there is no importance matrix
  int without_importance = 0; // of them, though there is an importance matrix; embedding and output never have any

  double bits_before() const { return 8.0 * static_cast<double>(bytes_before) / static_cast<double>(weights); }
  double bits_after() const { return 8.0 * static_cast<double>(bytes_after) / static_cast<double>(weights); }
};

/// Throws Error(usage) where a tensor is quantized already and that isn't allowed, Error(model) where the importance
/// doesn't fit the model.
QuantizePlan plan_quantization(const ModelSource& source, const QuantizeOptions& options, const Importance* importance);

/// A Markdown table of tensors, shapes, formats and sizes, and the totals.
std::string plan_table(const QuantizePlan& plan);

/// IN's name with the type in it: model-F16.gguf -> model-Q4_K_M.gguf, beside it.
std::string default_output(const std::string& in, std::string_view type);

/// "Q4_0, Q4_1, ..." for messages.
std::string mix_names();

} // namespace kern
