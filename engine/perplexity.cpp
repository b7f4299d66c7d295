#include "engine/perplexity.h"

#include <algorithm>
#include <cmath>

#include "kernels/math.h"

namespace kern {

namespace {

constexpr float least_log_prob = -16.0f;

/// Of sorted numbers, between neighbours.
double quantile(std::span<const float> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = place - static_cast<double>(below);
  return (1.0 - part) * static_cast<double>(sorted[below]) + part * static_cast<double>(sorted[above]);
}

double exp_of(double x) { return x > -700.0 ? exp_f64(x) : 0.0; }

} // namespace

double log_sum_exp(std::span<const float> logits) {
  const auto top = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0.0;
  for (const float logit : logits) sum += exp_of(static_cast<double>(logit) - top);
  return top + log_f64(sum);
}

void log_softmax(std::span<const float> logits, std::span<float> out) {
  const double log_sum = log_sum_exp(logits);
  for (std::size_t i = 0; i < logits.size(); ++i) out[i] = static_cast<float>(static_cast<double>(logits[i]) - log_sum);
}

Estimate Mean::estimate() const {
  const auto n = static_cast<double>(count_);
  if (count_ == 0) return {};
  const double mean = sum_ / n;
  const double variance = std::max(squares_ / n - mean * mean, 0.0);
  return {mean, count_ > 1 ? std::sqrt(variance / (n - 1.0)) : 0.0};
}

Estimate perplexity(const Mean& nll) {
  const Estimate mean = nll.estimate();
  const double value = std::exp(mean.value);
  return {value, value * mean.error};
}

TokenComparison compare_token(std::span<const float> base_log_probs, std::span<const float> logits,
                              std::int32_t token) {
  const double log_sum = log_sum_exp(logits);
  TokenComparison out;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (base_log_probs[i] <= least_log_prob) continue;
    const auto base = static_cast<double>(base_log_probs[i]);
    out.divergence += exp_of(base) * (base - (static_cast<double>(logits[i]) - log_sum));
  }
  const auto index = static_cast<std::size_t>(token);
  out.nll = log_sum - static_cast<double>(logits[index]);
  out.base_nll = -static_cast<double>(base_log_probs[index]);
  out.same_top = std::ranges::max_element(logits) - logits.begin() ==
                 std::ranges::max_element(base_log_probs) - base_log_probs.begin();
  return out;
}

void Comparison::add(const TokenComparison& token) {
  nll_.add(token.nll);
  base_nll_.add(token.base_nll);
  log_ratio_.add(token.nll - token.base_nll);
  divergence_.add(token.divergence);
  divergences_.push_back(static_cast<float>(token.divergence));
  same_top_.add(token.same_top ? 1.0 : 0.0);
  const double change = exp_of(-token.nll) - exp_of(-token.base_nll);
  change_.add(change);
  squared_change_.add(change * change);
}

Comparison::Summary Comparison::summary() const {
  std::vector<float> sorted = divergences_;
  std::ranges::sort(sorted);
  Summary out;
  out.perplexity = kern::perplexity(nll_);
  out.base_perplexity = kern::perplexity(base_nll_);
  out.log_ratio = log_ratio_.estimate();
  out.divergence = divergence_.estimate();
  out.median = quantile(sorted, 0.5);
  out.worst_percent = quantile(sorted, 0.99);
  out.most = static_cast<double>(sorted.back());
  out.same_top = same_top_.estimate();
  out.probability_change = change_.estimate();
  out.probability_change_rms = std::sqrt(squared_change_.estimate().value);
  return out;
}

} // namespace kern
