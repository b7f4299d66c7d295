// Running one model over a text, or two side by side.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/loaded_model.h"
#include "cli/perplexity_report.h"
#include "cli/terminal.h"
#include "cli/text_chunks.h"
#include "engine/logits_file.h"
#include "engine/scorer.h"
#include "kernels/cpu/threads.h"

namespace kern {

/// A model that reads the text.
struct Subject {
  Subject(LoadedModel headers, const ModelFlags& flags, const SessionOptions& options)
      : loaded(std::move(headers)), model(load_model(loaded.gguf, loaded.devices, flags, options)),
        scorer(model, options) {}
  LoadedModel loaded;
  Model model;
  Scorer scorer;
};

/// Runs the chunks and adds up. What it is given must outlive it.
class Measurement {
public:
  /// `base` or `file`, or neither: what the subject is compared with.
  Measurement(const TextChunks& text, Subject& subject, Subject* base = nullptr, const LogitsFile* file = nullptr);

  /// Keeps the subject's logits in a file, whole once run() is.
  void save_logits(const std::string& path);

  /// False where an end was asked for before the text's. Throws Error(output) where the logits can't be kept.
  bool run(ProgressBar& bar);

  const PerplexityResult& result() const { return result_; }

private:
  bool run_chunk(std::size_t chunk);
  void add_step(std::size_t chunk, const std::vector<Token>& tokens, const Scorer::Step& step,
                std::span<const float> base_logits);
  TokenComparison compare_row(std::size_t chunk, std::size_t index, Token next, std::span<const float> logits,
                              std::span<const float> base_logits, std::vector<float>& base_log_probs) const;

  const TextChunks& text_;
  Subject& subject_;
  Subject* base_;
  const LogitsFile* file_;
  ThreadPool pool_;
  std::size_t vocab_;
  std::vector<std::vector<float>> scratch_; // [threads][vocab_size]
  std::vector<TokenComparison> compared_;
  std::optional<LogitsWriter> writer_;
  PerplexityResult result_;
};

} // namespace kern
