#include "engine/samplers/steps.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/math.h"
#include "kernels/sampling.h"

namespace kern {

void penalize(Candidates& candidates, const SamplerOptions& options, std::span<const std::int32_t> history,
              std::span<std::int32_t> counts) {
  const SamplerOptions& o = options;
  if (o.repeat_last_n == 0 || (o.repeat_penalty == 1.0f && o.presence_penalty == 0.0f && o.frequency_penalty == 0.0f))
    return;
  if (o.repeat_last_n > 0 && history.size() > static_cast<std::size_t>(o.repeat_last_n))
    history = history.last(static_cast<std::size_t>(o.repeat_last_n));
  for (const std::int32_t id : history) counts[static_cast<std::size_t>(id)] += 1;
  for (Candidate& c : candidates.items()) {
    const std::int32_t count = counts[static_cast<std::size_t>(c.id)];
    if (count == 0) continue;
    // Dividing a negative logit would make it likelier, which the paper overlooked.
    c.logit = c.logit <= 0.0f ? c.logit * o.repeat_penalty : c.logit / o.repeat_penalty;
    c.logit -= static_cast<float>(count) * o.frequency_penalty + o.presence_penalty;
  }
  for (const std::int32_t id : history) counts[static_cast<std::size_t>(id)] = 0;
  candidates.mark_unsorted();
}

void keep_top_n_sigma(Candidates& candidates, float n) {
  if (n <= 0.0f || candidates.size() <= 1) return;
  constexpr float forbidden = -std::numeric_limits<float>::infinity();
  double sum = 0.0;
  double count = 0.0;
  float top = forbidden;
  for (const Candidate& c : candidates.items()) {
    if (c.logit == forbidden) continue;
    top = std::max(top, c.logit);
    sum += static_cast<double>(c.logit);
    count += 1.0;
  }
  if (count == 0.0) return;
  const double mean = sum / count;
  double squares = 0.0;
  for (const Candidate& c : candidates.items()) {
    const double distance = static_cast<double>(c.logit) - mean;
    if (c.logit != forbidden) squares += distance * distance;
  }
  const double least = static_cast<double>(top) - static_cast<double>(n) * __builtin_sqrt(squares / count);
  std::erase_if(candidates.items(),
                [&](const Candidate& c) { return c.logit == forbidden || static_cast<double>(c.logit) < least; });
}

void keep_typical(Candidates& candidates, float share) {
  if (share >= 1.0f) return;
  candidates.sort();
  candidates.set_likelihoods();
  const double entropy = candidates.entropy();
  const auto distance = [&](const Candidate& c) {
    return c.likelihood > 0 ? std::abs(-log_f64(candidates.probability(c)) - entropy) : HUGE_VAL;
  };
  std::vector<Candidate>& nearest = candidates.storage();
  nearest = candidates.items();
  std::ranges::sort(nearest, [&](const Candidate& a, const Candidate& b) {
    const double x = distance(a);
    const double y = distance(b);
    return x < y || (x == y && more_likely(a, b));
  });
  const std::uint64_t wanted = share_of_sum(candidates.sum(), share);
  std::uint64_t sum = 0;
  std::size_t keep = 0;
  while (sum <= wanted && keep < nearest.size()) sum += nearest[keep++].likelihood;
  nearest.resize(keep);
  candidates.items().swap(nearest);
  candidates.mark_unsorted();
}

void keep_top_p(Candidates& candidates, float share) {
  if (share < 1.0f) candidates.keep_share(share);
}

void keep_min_p(Candidates& candidates, float share) {
  if (share <= 0.0f) return;
  candidates.set_likelihoods();
  std::erase_if(candidates.items(), [&](const Candidate& c) { return !is_likely(c.likelihood, share); });
}

void exclude_top(Candidates& candidates, const SamplerOptions& options, double chance) {
  if (options.xtc_probability <= 0.0f || options.xtc_threshold > 0.5f || candidates.size() < 2) return;
  if (chance > static_cast<double>(options.xtc_probability)) return;
  candidates.sort();
  candidates.set_likelihoods();
  std::vector<Candidate>& items = candidates.items();
  const auto end = std::ranges::find_if(items, [&](const Candidate& c) {
    return candidates.probability(c) < static_cast<double>(options.xtc_threshold);
  });
  if (end - items.begin() > 1) items.erase(items.begin(), end - 1);
}

void scale_by_temperature(Candidates& candidates, const SamplerOptions& options) {
  auto temperature = static_cast<double>(options.temperature);
  if (options.dynatemp_range > 0.0f) {
    if (candidates.size() <= 1) return;
    const auto range = static_cast<double>(options.dynatemp_range);
    const double low = std::max(0.0, temperature - range);
    candidates.set_likelihoods();
    const double share = candidates.entropy() / log_f64(static_cast<double>(candidates.size()));
    temperature = low + (temperature + range - low) * power_f64(share, static_cast<double>(options.dynatemp_exponent));
  }
  const auto divisor = static_cast<float>(temperature);
  if (divisor <= 0.0f) return candidates.keep_best();
  for (Candidate& c : candidates.items()) c.logit /= divisor;
}

} // namespace kern
