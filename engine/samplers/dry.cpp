#include "engine/samplers/dry.h"

#include <algorithm>

#include "kernels/math.h"

namespace kern {

namespace {

constexpr double log_of_greatest_float = 88.7228391;

double integer_power(double base, int exponent) {
  double power = 1.0;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if ((exponent & 1) != 0) power *= base;
  return power;
}

} // namespace

DryPenalty::DryPenalty(const SamplerOptions& options, std::size_t vocab_size)
    : enabled_(options.dry_multiplier != 0.0f && options.dry_base >= 1.0f && options.dry_penalty_last_n != 0),
      multiplier_(options.dry_multiplier), base_(static_cast<double>(options.dry_base)),
      allowed_length_(options.dry_allowed_length), last_n_(options.dry_penalty_last_n) {
  if (!enabled_) return;
  if (options.dry_base > 1.000001f) greatest_exponent_ = static_cast<int>(log_of_greatest_float / log_f64(base_));
  breakers_ = options.dry_breakers;
  std::erase_if(breakers_, [](const auto& sequence) { return sequence.empty(); });
  std::ranges::sort(breakers_);
  longest_.assign(vocab_size, -1);
}

int DryPenalty::find_limit(std::span<const std::int32_t> recent) const {
  const auto first_token = [](const std::vector<std::int32_t>& sequence) { return sequence.front(); };
  for (std::size_t at = recent.size(); at-- > 0;) {
    std::size_t longest = 0;
    for (auto sequence = std::ranges::lower_bound(breakers_, recent[at], {}, first_token);
         sequence != breakers_.end() && sequence->front() == recent[at]; ++sequence)
      if (sequence->size() > longest && sequence->size() <= recent.size() - at &&
          std::ranges::equal(*sequence, recent.subspan(at, sequence->size())))
        longest = sequence->size();
    if (longest > 0) return static_cast<int>(recent.size() - at - longest);
  }
  return static_cast<int>(recent.size());
}

void DryPenalty::find_repetitions(std::span<const std::int32_t> recent, int limit) {
  // The Z-algorithm (Gusfield, 1997) on the reversed history: overlaps_[k] is how many tokens before the last k equal
  // the tokens at the end. [box, edge) is the overlap found so far that reaches furthest.
  const int length = static_cast<int>(recent.size());
  const auto from_end = [&](int i) { return recent[static_cast<std::size_t>(length - 1 - i)]; };
  overlaps_.resize(recent.size()); // the first is never read
  int box = 0;
  int edge = 0;
  for (int k = 1; k < length; ++k) {
    int overlap = k < edge ? std::min(overlaps_[static_cast<std::size_t>(k - box)], edge - k) : 0;
    while (k + overlap < length && from_end(overlap) == from_end(k + overlap)) ++overlap;
    if (k + overlap > edge) {
      box = k;
      edge = k + overlap;
    }
    overlaps_[static_cast<std::size_t>(k)] = overlap;
    const int repeated = std::min(overlap, limit);
    if (repeated < allowed_length_) continue;
    std::int32_t& longest = longest_[static_cast<std::size_t>(from_end(k - 1))];
    longest = std::max(longest, repeated);
  }
}

bool DryPenalty::is_breaker(std::int32_t id) const {
  return std::ranges::binary_search(breakers_, std::span(&id, 1), [](const auto& a, const auto& b) {
    return std::ranges::lexicographical_compare(a, b);
  });
}

float DryPenalty::penalty(int length) const {
  int exponent = length - allowed_length_;
  if (greatest_exponent_ > 0) exponent = std::min(exponent, greatest_exponent_);
  return multiplier_ * static_cast<float>(integer_power(base_, exponent));
}

void DryPenalty::apply(Candidates& candidates, std::span<const std::int32_t> history) {
  if (!enabled_) return;
  if (last_n_ > 0 && history.size() > static_cast<std::size_t>(last_n_))
    history = history.last(static_cast<std::size_t>(last_n_));
  if (static_cast<std::int64_t>(history.size()) <= allowed_length_) return;
  const int limit = find_limit(history);
  if (limit < allowed_length_) return;
  find_repetitions(history, limit);
  for (Candidate& c : candidates.items()) {
    const std::int32_t longest = longest_[static_cast<std::size_t>(c.id)];
    if (longest >= 0 && !is_breaker(c.id)) c.logit -= penalty(longest);
  }
  for (const std::int32_t id : history) longest_[static_cast<std::size_t>(id)] = -1;
  candidates.mark_unsorted();
}

} // namespace kern
