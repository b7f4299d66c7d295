#include "engine/scorer.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "model/error.h"

namespace kern {

namespace {

constexpr std::size_t most_logit_bytes = std::size_t{64} << 20;

ForwardLimits limits_of(const ModelSpec& spec, const SessionOptions& options) {
  const std::size_t rows = most_logit_bytes / (static_cast<std::size_t>(spec.vocab_size) * sizeof(float));
  const int most = static_cast<int>(std::clamp<std::size_t>(rows, 1, 1 << 16));
  const int tokens = std::min({options.step_tokens, options.context, most});
  return {tokens, tokens};
}

StateOptions state_options(const SessionOptions& options, const ForwardLimits& limits) {
  StateOptions state;
  state.context = options.context;
  state.step_tokens = limits.tokens;
  state.key_format = options.key_format;
  state.value_format = options.value_format;
  return state;
}

} // namespace

Scorer::Scorer(const Model& model, const SessionOptions& options)
    : model_(model), limits_(limits_of(model.spec(), options)), state_(model, state_options(options, limits_)),
      forward_(model, state_, limits_) {
  batch_.reserve(static_cast<std::size_t>(limits_.tokens));
  logits_.resize(static_cast<std::size_t>(limits_.logits) * static_cast<std::size_t>(model.spec().vocab_size));
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
  const std::size_t count = std::min(static_cast<std::size_t>(limits_.tokens), text_.size() - begin);
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
    check(row, done_ - rows + i);
  }
  return Step{done_ - rows, {logits_.data(), rows * vocab}};
}

void Scorer::check(std::span<const float> row, std::size_t token) const {
  const auto wrong = std::ranges::find_if(row, [](float logit) { return !std::isfinite(logit); });
  if (wrong == row.end()) return;
  throw Error(
      ExitCode::model,
      fmt::format("{}: after token {} at position {}, the logit of token {} is {}, expected a finite number: {}",
                  model_.file_name(), text_[token], token, wrong - row.begin(), *wrong, model_.explain_non_finite()));
}

} // namespace kern
