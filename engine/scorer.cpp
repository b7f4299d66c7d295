#include "engine/scorer.h"

#include <algorithm>

namespace kern {

namespace {

constexpr std::size_t most_logit_bytes = std::size_t{64} << 20;

/// With steps that short.
SessionOptions limit_steps(const ModelSpec& spec, SessionOptions options) {
  const std::size_t rows = most_logit_bytes / (static_cast<std::size_t>(spec.vocab_size) * sizeof(float));
  const int most = static_cast<int>(std::clamp<std::size_t>(rows, 1, 1 << 16));
  options.step_tokens = std::min({options.step_tokens, options.context, most});
  return options;
}

} // namespace

Scorer::Scorer(const Model& model, const SessionOptions& options)
    : model_(model), step_tokens_(limit_steps(model.spec(), options).step_tokens),
      state_(model, state_options(limit_steps(model.spec(), options))),
      forward_(model, state_, {step_tokens_, step_tokens_}) {
  const auto rows = static_cast<std::size_t>(step_tokens_);
  batch_.reserve(rows);
  logits_.resize(rows * static_cast<std::size_t>(model.spec().vocab_size));
}

void Scorer::begin(std::span<const std::int32_t> tokens, std::size_t first) {
  state_.rollback(0, 0);
  text_ = tokens;
  first_ = first;
  done_ = 0;
}

std::optional<Scorer::Step> Scorer::next() {
  if (done_ == text_.size()) return std::nullopt;
  const std::size_t begin = done_;
  const std::size_t count = std::min(static_cast<std::size_t>(step_tokens_), text_.size() - begin);
  state_.extend(0, static_cast<int>(count));
  batch_.clear();
  for (std::size_t i = begin; i < begin + count; ++i) batch_.add(text_[i], static_cast<int>(i), 0, i >= first_);
  forward_.run(batch_);
  done_ = begin + count;
  const auto vocab = static_cast<std::size_t>(model_.spec().vocab_size);
  const std::size_t rows = batch_.logit_rows.size();
  for (std::size_t i = 0; i < rows; ++i) {
    const std::span<float> row(logits_.data() + i * vocab, vocab);
    forward_.read_logits(static_cast<int>(i), row);
    const std::size_t token = done_ - rows + i;
    check_logits(model_, row, text_[token], token);
  }
  return Step{done_ - rows, {logits_.data(), rows * vocab}};
}

} // namespace kern
