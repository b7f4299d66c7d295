// kern perplexity: how well a model predicts a text, and what quantizing cost it.
#include <algorithm>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/measurement.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/perplexity_report.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/text_chunks.h"
#include "engine/logits_file.h"
#include "model/error.h"

namespace kern {

namespace {

struct PerplexityFlags {
  ModelFlags model;
  ContextFlags context;
  TextChunkFlags text;
  std::string base;        // --kl
  std::string base_logits; // --kl-logits
  std::string save_logits;
  bool json = false;
};

void check_flags(const PerplexityFlags& flags) {
  if (!flags.base.empty() && !flags.base_logits.empty())
    throw Error(ExitCode::usage, "--kl and --kl-logits both name a base; give one of them");
  if (!flags.base_logits.empty() && !flags.text.file.empty())
    throw Error(ExitCode::usage, "--kl-logits: the file holds the text as well; leave -f out");
}

/// The text of a file of logits.
TextChunks text_of(const LogitsFile& file, const TextChunkFlags& flags, const LoadedModel& loaded) {
  if (file.vocab_size() != static_cast<std::size_t>(loaded.spec.vocab_size))
    throw Error(ExitCode::model, fmt::format("--kl-logits: found a vocabulary of {} tokens, expected {} as in {}; the "
                                             "file was made with another model",
                                             file.vocab_size(), loaded.spec.vocab_size, loaded.gguf.name()));
  TextChunks text{file.tokens(), file.context(), chunk_begin(*loaded.tokenizer)};
  if (flags.chunks > 0) text.tokens.resize(std::min(text.size(), static_cast<std::size_t>(flags.chunks)) * text.length);
  return text;
}

/// Throws where a token of the text means something else to the base.
void check_same_vocabulary(const TextChunks& text, const LoadedModel& loaded, const LoadedModel& base) {
  const auto fail = [&](const std::string& found) {
    throw Error(ExitCode::model, fmt::format("{}: {} in {}; --kl compares models that share a vocabulary",
                                             base.gguf.name(), found, loaded.gguf.name()));
  };
  if (base.spec.vocab_size != loaded.spec.vocab_size)
    fail(fmt::format("found {} tokens, expected {} as", base.spec.vocab_size, loaded.spec.vocab_size));
  for (const Token token : text.tokens)
    if (base.tokenizer->raw_text(token) != loaded.tokenizer->raw_text(token))
      fail(fmt::format("found token {} to be '{}', expected '{}' as", token,
                       escape_line(base.tokenizer->raw_text(token)), escape_line(loaded.tokenizer->raw_text(token))));
}

int measure(PerplexityFlags& flags) {
  check_flags(flags);
  LoadedModel headers = load_headers(flags.model);
  std::optional<LogitsFile> file;
  if (!flags.base_logits.empty()) file.emplace(flags.base_logits);
  const TextChunks text =
      file ? text_of(*file, flags.text, headers) : read_chunks(flags.text, *headers.tokenizer, flags.model.quiet);
  if (text.length > static_cast<std::size_t>(headers.spec.context_length) && !flags.model.quiet)
    write_notice(fmt::format("kern: warning: chunks of {} tokens are longer than the {} the model was made for\n",
                             text.length, headers.spec.context_length));
  const SessionOptions options = chunk_options(flags.context, text.length);
  std::unique_ptr<Subject> base;
  if (!flags.base.empty()) {
    ModelFlags base_flags = flags.model;
    base_flags.path = flags.base;
    base_flags.demo = false;
    LoadedModel base_headers = load_headers(base_flags);
    check_same_vocabulary(text, headers, base_headers);
    base = std::make_unique<Subject>(std::move(base_headers), base_flags, options);
  }
  Subject subject(std::move(headers), flags.model, options);
  Measurement measurement(text, subject, base.get(), file ? &*file : nullptr);
  if (!flags.save_logits.empty()) measurement.save_logits(flags.save_logits);
  const GentleEnd gentle_end;
  ProgressBar bar("perplexity", "chunks", !flags.model.quiet);
  const bool whole = measurement.run(bar);
  bar.clear();
  if (measurement.result().nll.count() > 0)
    write_output(flags.json ? perplexity_json(measurement.result(), text, whole)
                            : perplexity_table(measurement.result(), text));
  if (!whole)
    throw Error(interruption_code(),
                fmt::format("{} after {} of {} chunks", interruption_name(), measurement.result().chunks, text.size()));
  return 0;
}

void declare(CLI::App& app, PerplexityFlags& flags) {
  add_text_chunk_flags(app, flags.text);
  app.add_option("--kl", flags.base, "compare with this model, as a rule the one that was quantized, as it reads along")
      ->type_name("MODEL");
  app.add_option("--save-logits", flags.save_logits, "keep what this model says of the text, for --kl-logits")
      ->type_name("FILE");
  app.add_option("--kl-logits,--kl-divergence-base", flags.base_logits,
                 "compare with what --save-logits or llama.cpp kept of a base")
      ->type_name("FILE");
  app.add_flag("--json", flags.json, "the result as JSON");
  add_model_flags(app, flags.model);
  add_batch_flags(app, flags.context);
}

} // namespace

Command perplexity_command() {
  return make_command<PerplexityFlags>("kern perplexity",
                                       "How well a model predicts a text: each chunk is read by itself and its second "
                                       "half counts, as in llama.cpp. With "
                                       "a base, also how far the model is from it.",
                                       declare, measure);
}

} // namespace kern
