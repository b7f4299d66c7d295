// kern perplexity: how well a model predicts a text, and what quantizing cost it.
#include <algorithm>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/loaded_model.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/perplexity_report.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/text_chunks.h"
#include "engine/logits_file.h"
#include "engine/perplexity.h"
#include "engine/scorer.h"
#include "kernels/cpu/threads.h"
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

/// A model that reads the text.
struct Subject {
  Subject(LoadedModel headers, const SessionOptions& options)
      : loaded(std::move(headers)), model(loaded.gguf, *loaded.backend), scorer(model, options) {}
  LoadedModel loaded;
  Model model;
  Scorer scorer;
};

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

/// Runs the chunks and adds up.
class Measurement {
public:
  Measurement(const PerplexityFlags& flags, const TextChunks& text, Subject& subject, Subject* base,
              const LogitsFile* file)
      : text_(text), subject_(subject), base_(base), file_(file), pool_(subject.loaded.backend->threads()),
        vocab_(static_cast<std::size_t>(subject.loaded.spec.vocab_size)),
        scratch_(static_cast<std::size_t>(pool_.size())) {
    for (std::vector<float>& row : scratch_) row.resize(base || file ? vocab_ : 0);
    if (!flags.save_logits.empty())
      writer_.emplace(flags.save_logits, static_cast<std::int32_t>(text.length), static_cast<std::int32_t>(vocab_),
                      text.tokens);
  }

  /// False where an end was asked for before the text's.
  bool run(ProgressBar& bar) {
    for (std::size_t chunk = 0; chunk < text_.size(); ++chunk) {
      if (!run_chunk(chunk)) return false;
      result_.chunks = chunk + 1;
      bar.update(chunk + 1, text_.size());
    }
    if (writer_) writer_->commit();
    return true;
  }

  const PerplexityResult& result() const { return result_; }

private:
  bool run_chunk(std::size_t chunk) {
    const std::vector<Token> tokens = text_.chunk(chunk);
    const std::span<const Token> read(tokens.data(), tokens.size() - 1); // nothing follows the last
    const std::size_t first = text_.length / 2;
    subject_.scorer.begin(read, first);
    if (base_) base_->scorer.begin(read, first);
    while (const auto step = subject_.scorer.next()) {
      const auto base_step = base_ ? base_->scorer.next() : std::nullopt;
      if (interrupted()) return false;
      add_step(chunk, tokens, *step, base_step ? base_step->logits : std::span<const float>());
    }
    return true;
  }

  void add_step(std::size_t chunk, const std::vector<Token>& tokens, const Scorer::Step& step,
                std::span<const float> base_logits) {
    const std::size_t rows = step.logits.size() / vocab_;
    compared_.resize(rows);
    pool_.run([&](int thread) {
      const Share share = share_of(static_cast<std::int64_t>(rows), thread, pool_.size());
      for (auto i = static_cast<std::size_t>(share.begin); i < static_cast<std::size_t>(share.end); ++i)
        compared_[i] =
            compare_row(chunk, step.first + i, tokens[step.first + i + 1], step.logits.subspan(i * vocab_, vocab_),
                        base_ ? base_logits.subspan(i * vocab_, vocab_) : std::span<const float>(),
                        scratch_[static_cast<std::size_t>(thread)]);
    });
    for (std::size_t i = 0; i < rows; ++i) {
      result_.nll.add(compared_[i].nll);
      if (base_ || file_) result_.comparison.add(compared_[i]);
      if (writer_) writer_->add(step.logits.subspan(i * vocab_, vocab_));
    }
  }

  TokenComparison compare_row(std::size_t chunk, std::size_t index, Token next, std::span<const float> logits,
                              std::span<const float> base_logits, std::vector<float>& base_log_probs) const {
    if (file_) file_->read(chunk * scored_rows(text_.length) + index - text_.length / 2, base_log_probs);
    else if (base_) log_softmax(base_logits, base_log_probs);
    else return {log_sum_exp(logits) - static_cast<double>(logits[static_cast<std::size_t>(next)]), 0.0, 0.0, false};
    return compare_token(base_log_probs, logits, next);
  }

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
    base = std::make_unique<Subject>(std::move(base_headers), options);
  }
  Subject subject(std::move(headers), options);
  Measurement measurement(flags, text, subject, base.get(), file ? &*file : nullptr);
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
