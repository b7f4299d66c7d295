#include "cli/quantize_measure.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/measurement.h"
#include "cli/model_file.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "model/error.h"

namespace kern {

namespace {

ModelFlags flags_for(const std::string& path, int threads, bool quiet) {
  ModelFlags flags;
  flags.path = path;
  flags.threads = threads;
  flags.quiet = quiet;
  return flags;
}

std::string cost_table(const PerplexityResult& result, const TextChunks& text, const QuantizedPair& files,
                       const QuantizePlan& plan) {
  const Comparison::Summary summary = result.comparison.summary();
  std::string out =
      fmt::format("| | {} | {} |\n| --- | ---: | ---: |\n", escape_line(files.source), escape_line(files.result));
  out += fmt::format("| size | {} | {} |\n", format_bytes(plan.bytes_before), format_bytes(plan.bytes_after));
  out += fmt::format("| bits a weight | {:.2f} | {:.2f} |\n", plan.bits_before(), plan.bits_after());
  out += fmt::format("| perplexity | {} | {} |\n\n", figure(summary.base_perplexity, 4), figure(summary.perplexity, 4));
  out += divergence_lines(summary);
  return out + fmt::format("{:<13} {} tokens, the second halves of {} chunks of {}\n", "measured on",
                           result.comparison.tokens(), result.chunks, text.length);
}

} // namespace

TextChunks read_measure_text(const MeasureFlags& flags, const LoadedModel& model, bool quiet) {
  TextChunkFlags chunks;
  chunks.file = flags.text;
  chunks.chunks = flags.chunks;
  chunks.chunk_tokens = static_cast<int>(std::clamp<std::int64_t>(model.spec.context_length, 4, chunks.chunk_tokens));
  return read_chunks(chunks, *model.tokenizer, quiet);
}

void add_measure_flags(CLI::App& app, MeasureFlags& flags) {
  app.add_option("--measure", flags.text,
                 "then run source and result over this text and print what the new format cost; - is standard input")
      ->type_name("TEXT");
  app.add_option("--measure-chunks", flags.chunks, "the text's first N chunks of 512 tokens")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
}

QuantizeMeasure::QuantizeMeasure(const MeasureFlags& flags, const std::string& source, int threads, bool quiet)
    : model_flags_(flags_for(source, threads, quiet)), source_(load_headers(model_flags_)),
      text_(read_measure_text(flags, source_, quiet)) {}

void QuantizeMeasure::run(const QuantizedPair& files, const QuantizePlan& plan) {
  const SessionOptions options = chunk_options({}, text_.length);
  Subject base(std::move(source_), model_flags_, options);
  const ModelFlags result = flags_for(files.result, model_flags_.threads, model_flags_.quiet);
  Subject subject(load_headers(result), result, options);
  Measurement measurement(text_, subject, &base);
  const GentleEnd gentle_end;
  ProgressBar bar("measure", "chunks", !model_flags_.quiet);
  const bool whole = measurement.run(bar);
  bar.clear();
  if (measurement.result().comparison.tokens() > 0) write_output(cost_table(measurement.result(), text_, files, plan));
  if (!whole)
    throw Error(interruption_code(), fmt::format("{} after {} of {} chunks; {} is written", interruption_name(),
                                                 measurement.result().chunks, text_.size(), files.result));
}

} // namespace kern
