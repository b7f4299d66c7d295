// kern quantize --target-size and --target-bpw: formats chosen by what they do to this model on a text.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/loaded_model.h"
#include "cli/quantize_measure.h"
#include "cli/quantize_plan.h"
#include "cli/terminal.h"
#include "cli/text_chunks.h"
#include "engine/session.h"
#include "kernels/cpu/threads.h"
#include "model/recode.h"
#include "quant/allocation.h"

namespace kern {

struct TargetFlags {
  std::string size;  // --target-size, of the file; empty: not given
  double bits = 0.0; // --target-bpw, of the tensors; 0: not given

  bool given() const { return !size.empty() || bits > 0.0; }
};
void add_target_flags(CLI::App& app, TargetFlags& flags);

/// Bytes that the flags leave for tensors. Throws Error(usage) for a size that can't be read or is too small to hold
/// anything.
std::uint64_t target_bytes(const TargetFlags& flags, const Gguf& gguf, std::uint64_t weights);

/// A model that is tried out with one matrix at a time in another format.
class FormatSearch {
public:
  /// Throws as QuantizeMeasure's constructor does.
  FormatSearch(const MeasureFlags& flags, const std::string& source, int threads, bool quiet);

  /// Formats for the tensors of `plan` whose format is free, by name, so that all tensors take at most `bytes`. Each
  /// matrix is tried in the two smallest formats: the cost is the Kullback-Leibler divergence of the model with it from
  /// the model as it is, on the text; in the others it is that of the second smallest, scaled by the squared error of
  /// the weights (by importance where known). Throws Error(usage) where not even the smallest formats fit, and Error
  /// with an interruption's code.
  std::map<std::string, Format, std::less<>> choose(const QuantizePlan& plan, std::uint64_t bytes,
                                                    const Importance* importance);

private:
  std::vector<FormatChoice> choices_of(const TensorInfo& tensor, const Importance* importance);
  double divergence();
  void read_base();
  double tried(const TensorInfo& tensor, Format format, std::span<const float> importance);
  double squared_error(const TensorInfo& tensor, Format format, std::span<const float> importance);
  /// Calls row(index, logits, next token) for all rows of a model of gguf_, several at once.
  template <class Row> void each_row(Row&& row);

  bool quiet_;
  LoadedModel loaded_;
  TextChunks text_;
  std::size_t chunks_; // of the text: as many as memory for their logits allows
  SessionOptions options_;
  ThreadPool pool_;
  Recoder recoder_;
  std::vector<float> base_; // [rows][vocab_size] logs of probabilities
  std::vector<std::byte> encoded_;
};

} // namespace kern
