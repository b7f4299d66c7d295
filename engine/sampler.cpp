#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "engine/random.h"
#include "kernels/math.h"

namespace kern {

namespace {

bool more_likely(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/// Keeps the shortest prefix whose probabilities reach `share`.
void cut_at_share(std::vector<Candidate>& candidates, double share) {
  double sum = 0.0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    sum += candidates[i].probability;
    if (sum >= share) {
      candidates.resize(i + 1);
      return;
    }
  }
}

} // namespace

Sampler::Sampler(SamplerOptions options, std::size_t vocab_size)
    : options_(std::move(options)), counts_(vocab_size, 0) {
  candidates_.reserve(vocab_size);
  storage_.reserve(vocab_size);
}

std::int32_t Sampler::sample(std::span<const float> logits, std::span<const std::int32_t> history,
                             std::uint64_t position) {
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) candidates_.push_back({static_cast<std::int32_t>(i), logits[i], 0.0});
  add_bias();
  penalize(history);
  if (options_.temperature <= 0.0f) return greedy();
  keep_top_k();
  keep_typical();
  keep_top_p();
  keep_min_p();
  scale_by_temperature();
  return draw(position);
}

void Sampler::add_bias() {
  for (const auto& [id, bias] : options_.logit_bias)
    if (id >= 0 && static_cast<std::size_t>(id) < candidates_.size())
      candidates_[static_cast<std::size_t>(id)].logit += bias;
}

void Sampler::penalize(std::span<const std::int32_t> history) {
  const SamplerOptions& o = options_;
  if (o.repeat_last_n == 0 || (o.repeat_penalty == 1.0f && o.presence_penalty == 0.0f && o.frequency_penalty == 0.0f))
    return;
  if (o.repeat_last_n > 0 && history.size() > static_cast<std::size_t>(o.repeat_last_n))
    history = history.last(static_cast<std::size_t>(o.repeat_last_n));
  for (const std::int32_t id : history) counts_[static_cast<std::size_t>(id)] += 1;
  for (const std::int32_t id : history) {
    std::int32_t& count = counts_[static_cast<std::size_t>(id)];
    if (count == 0) continue; // seen already
    float& logit = candidates_[static_cast<std::size_t>(id)].logit;
    // Dividing a negative logit would make it likelier (Keskar et al., CTRL, 2019, as mended by everyone since).
    logit = logit <= 0.0f ? logit * o.repeat_penalty : logit / o.repeat_penalty;
    logit -= static_cast<float>(count) * o.frequency_penalty + o.presence_penalty;
    count = 0;
  }
}

std::int32_t Sampler::greedy() const {
  return std::min_element(candidates_.begin(), candidates_.end(), more_likely)->id;
}

void Sampler::keep_top_k() {
  const std::size_t keep =
      options_.top_k <= 0 ? candidates_.size() : std::min(candidates_.size(), static_cast<std::size_t>(options_.top_k));
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(keep), candidates_.end(),
                    more_likely);
  candidates_.resize(keep);
}

void Sampler::set_probabilities() {
  const double top = static_cast<double>(candidates_.front().logit); // candidates are sorted
  double sum = 0.0;
  for (Candidate& c : candidates_) {
    const double difference = static_cast<double>(c.logit) - top;
    c.probability = difference < -700.0 ? 0.0 : exp_f64(difference);
    sum += c.probability;
  }
  for (Candidate& c : candidates_) c.probability /= sum;
}

void Sampler::keep_typical() {
  if (options_.typical_p >= 1.0f) return;
  set_probabilities();
  double entropy = 0.0;
  for (const Candidate& c : candidates_)
    if (c.probability > 0.0) entropy -= c.probability * log_f64(c.probability);
  // Locally typical sampling (Meister et al., 2022): nearest to the expected surprise first.
  const auto distance = [&](const Candidate& c) {
    return c.probability > 0.0 ? std::abs(-log_f64(c.probability) - entropy) : HUGE_VAL;
  };
  storage_ = candidates_;
  std::ranges::sort(storage_, [&](const Candidate& a, const Candidate& b) {
    const double x = distance(a);
    const double y = distance(b);
    return x < y || (x == y && more_likely(a, b));
  });
  cut_at_share(storage_, static_cast<double>(options_.typical_p));
  std::ranges::sort(storage_, more_likely);
  candidates_.swap(storage_);
}

void Sampler::keep_top_p() {
  if (options_.top_p >= 1.0f) return;
  set_probabilities();
  cut_at_share(candidates_, static_cast<double>(options_.top_p));
}

void Sampler::keep_min_p() {
  if (options_.min_p <= 0.0f) return;
  set_probabilities();
  const double least = static_cast<double>(options_.min_p) * candidates_.front().probability;
  const auto end = std::ranges::find_if(candidates_, [&](const Candidate& c) { return c.probability < least; });
  candidates_.resize(std::max<std::size_t>(1, static_cast<std::size_t>(end - candidates_.begin())));
}

void Sampler::scale_by_temperature() {
  for (Candidate& c : candidates_) c.logit /= options_.temperature;
}

std::int32_t Sampler::draw(std::uint64_t position) {
  set_probabilities();
  double left = uniform(options_.seed, position);
  for (const Candidate& c : candidates_) {
    left -= c.probability;
    if (left < 0.0) return c.id;
  }
  return candidates_.back().id; // rounding left a crumb
}

} // namespace kern
