#include "engine/samplers/selection.h"

#include <algorithm>
#include <limits>

#include "kernels/math.h"

namespace kern {

namespace {

constexpr double log_2 = 0.69314718055994530942;
constexpr std::size_t mirostat_tokens = 100; // that the estimate looks at

double bits(double probability) {
  return probability > 0.0 ? -log_f64(probability) / log_2 : std::numeric_limits<double>::infinity();
}

} // namespace

Mirostat::Mirostat(const SamplerOptions& options, std::size_t vocab_size)
    : version_(options.mirostat), target_(static_cast<double>(options.mirostat_entropy)),
      rate_(static_cast<double>(options.mirostat_rate)), vocab_size_(static_cast<double>(vocab_size)) {
  reset();
}

void Mirostat::reset() { surprise_ = 2.0 * target_; }

std::size_t Mirostat::estimate_count(const Candidates& candidates) const {
  const std::vector<Candidate>& items = candidates.items();
  double products = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i + 1 < mirostat_tokens && i + 1 < items.size(); ++i) {
    if (items[i + 1].likelihood == 0) break; // nothing can be learnt from what is forbidden
    const double ratio = log_f64(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    products += ratio * (log_f64(candidates.probability(items[i])) - log_f64(candidates.probability(items[i + 1])));
    squares += ratio * ratio;
  }
  if (squares == 0.0) return 1;
  const double exponent = products / squares;
  if (exponent <= 0.0) return items.size(); // all are equally likely
  // k = (epsilon 2^mu / (1 - N^-epsilon))^(1 / s), epsilon = s - 1; the fraction tends to 1 / ln N as epsilon does to
  // 0.
  const double epsilon = exponent - 1.0;
  const double log_size = log_f64(vocab_size_);
  const double shrink = __builtin_fabs(epsilon * log_size) < 1e-6
                            ? 1.0 / log_size
                            : epsilon / (1.0 - exp_f64(std::clamp(-epsilon * log_size, -690.0, 690.0)));
  const double log_count = (surprise_ * log_2 + log_f64(shrink)) / exponent;
  if (log_count >= log_f64(static_cast<double>(items.size()))) return items.size();
  return std::max<std::size_t>(1, static_cast<std::size_t>(exp_f64(std::max(log_count, -690.0))));
}

std::int32_t Mirostat::draw(Candidates& candidates, double number) {
  candidates.sort();
  candidates.set_likelihoods();
  if (version_ == 1) {
    candidates.keep_first(estimate_count(candidates));
  } else {
    const auto end = std::ranges::find_if(
        candidates.items(), [&](const Candidate& c) { return bits(candidates.probability(c)) > surprise_; });
    candidates.keep_first(static_cast<std::size_t>(end - candidates.items().begin()));
  }
  candidates.set_likelihoods();
  const Candidate& drawn = candidates.items()[candidates.find(number)];
  surprise_ -= rate_ * (bits(candidates.probability(drawn)) - target_);
  return drawn.id;
}

AdaptiveTarget::AdaptiveTarget(const SamplerOptions& options)
    : target_(std::clamp(static_cast<double>(options.adaptive_target), 0.0, 1.0)),
      decay_(std::clamp(static_cast<double>(options.adaptive_decay), 0.0, 0.99)) {
  reset();
}

void AdaptiveTarget::reset() {
  weight_ = 1.0 / (1.0 - decay_);
  sum_ = target_ * weight_;
}

std::int32_t AdaptiveTarget::draw(Candidates& candidates, double number) {
  constexpr double width = 0.3;
  constexpr double peak = 5.0;
  constexpr double sharpness = 10.0;
  candidates.set_likelihoods();
  // What the probabilities were is needed once the draw is made.
  candidates.storage() = candidates.items();
  const auto sum = static_cast<double>(candidates.sum());
  const double wanted = std::clamp(2.0 * target_ - sum_ / weight_, 0.0, 1.0);
  for (Candidate& c : candidates.items()) {
    if (c.logit == -std::numeric_limits<float>::infinity()) continue;
    // Quadratic near the target, linear far from it.
    const double distance = __builtin_fabs(candidates.probability(c) - wanted) / width;
    c.logit = static_cast<float>(peak - sharpness * distance * distance / (1.0 + distance));
  }
  candidates.mark_unsorted();
  candidates.set_likelihoods();
  const std::size_t drawn = candidates.find(number);
  sum_ = static_cast<double>(candidates.storage()[drawn].likelihood) / sum + decay_ * sum_;
  weight_ = 1.0 + decay_ * weight_;
  return candidates.items()[drawn].id;
}

} // namespace kern
