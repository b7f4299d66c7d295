// kern quantize --measure: what the new format cost, on a text.
#pragma once

#include <string>

#include "cli/loaded_model.h"
#include "cli/quantize_plan.h"
#include "cli/text_chunks.h"

namespace kern {

struct MeasureFlags {
  std::string text; // --measure; empty: nothing is measured
  int chunks = 8;   // --measure-chunks
};
void add_measure_flags(CLI::App& app, MeasureFlags& flags);

/// Chunks as `kern perplexity` cuts them, no longer than the model was made for.
TextChunks read_measure_text(const MeasureFlags& flags, const LoadedModel& model, bool quiet);

/// Both files' names, for the table and messages.
struct QuantizedPair {
  std::string source;
  std::string result;
};

/// Made before the file is written, so that a text or model that can't be read is refused before the work.
class QuantizeMeasure {
public:
  /// Throws Error(usage) where the text can't be read or is too short, Error(model) where kern can't run the source.
  QuantizeMeasure(const MeasureFlags& flags, const std::string& source, int threads, bool quiet);

  /// Runs source and result over the text and prints sizes, perplexities and divergence on standard output. Throws
  /// Error with an interruption's code where it is ended, after printing what came.
  void run(const QuantizedPair& files, const QuantizePlan& plan);

private:
  ModelFlags model_flags_;
  LoadedModel source_;
  TextChunks text_;
};

} // namespace kern
