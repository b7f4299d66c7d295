#include "cli/measurement.h"

#include "cli/signals.h"

namespace kern {

Measurement::Measurement(const TextChunks& text, Subject& subject, Subject* base, const LogitsFile* file)
    : text_(text), subject_(subject), base_(base), file_(file), pool_(subject.loaded.devices.cpu->threads()),
      vocab_(static_cast<std::size_t>(subject.loaded.spec.vocab_size)),
      scratch_(static_cast<std::size_t>(pool_.size())) {
  for (std::vector<float>& row : scratch_) row.resize(base || file ? vocab_ : 0);
}

void Measurement::save_logits(const std::string& path) {
  writer_.emplace(path, static_cast<std::int32_t>(text_.length), static_cast<std::int32_t>(vocab_), text_.tokens);
}

bool Measurement::run(ProgressBar& bar) {
  for (std::size_t chunk = 0; chunk < text_.size(); ++chunk) {
    if (!run_chunk(chunk)) return false;
    result_.chunks = chunk + 1;
    bar.update(chunk + 1, text_.size());
  }
  if (writer_) writer_->commit();
  return true;
}

bool Measurement::run_chunk(std::size_t chunk) {
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

void Measurement::add_step(std::size_t chunk, const std::vector<Token>& tokens, const Scorer::Step& step,
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

TokenComparison Measurement::compare_row(std::size_t chunk, std::size_t index, Token next,
                                         std::span<const float> logits, std::span<const float> base_logits,
                                         std::vector<float>& base_log_probs) const {
  if (file_) file_->read(chunk * scored_rows(text_.length) + index - text_.length / 2, base_log_probs);
  else if (base_) log_softmax(base_logits, base_log_probs);
  else return {log_sum_exp(logits) - static_cast<double>(logits[static_cast<std::size_t>(next)]), 0.0, 0.0, false};
  return compare_token(base_log_probs, logits, next);
}

} // namespace kern
