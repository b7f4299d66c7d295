#include "engine/samplers/candidates.h"

#include <algorithm>

#include "kernels/math.h"

namespace kern {

namespace {

/// Most shares are reached within so many; each further try sorts that many times more.
constexpr std::size_t first_try = 128;
constexpr std::size_t growth = 8;

/// e^-690 over a sum of up to 2^20 terms is still a normal number, as log_f64 wants it.
constexpr double least_difference = -690.0;

} // namespace

bool more_likely(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

Candidates::Candidates(std::size_t vocab_size) {
  items_.reserve(vocab_size);
  storage_.reserve(vocab_size);
}

void Candidates::load(std::span<const float> logits) {
  items_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) items_.push_back({static_cast<std::int32_t>(i), logits[i], 0.0});
  sorted_ = false;
}

void Candidates::sort() {
  if (!sorted_) std::ranges::sort(items_, more_likely);
  sorted_ = true;
}

void Candidates::keep_top(std::size_t count) {
  count = std::clamp<std::size_t>(count, 1, items_.size());
  if (!sorted_)
    std::partial_sort(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(count), items_.end(), more_likely);
  items_.resize(count);
  sorted_ = true;
}

void Candidates::keep_first(std::size_t count) { items_.resize(std::clamp<std::size_t>(count, 1, items_.size())); }

void Candidates::keep_share(double share) {
  set_probabilities();
  std::size_t done = 0;
  double sum = 0.0;
  for (std::size_t ordered = std::min(first_try, items_.size());; ordered = std::min(ordered * growth, items_.size())) {
    const auto at = [&](std::size_t i) { return items_.begin() + static_cast<std::ptrdiff_t>(i); };
    if (!sorted_) std::partial_sort(at(done), at(ordered), items_.end(), more_likely);
    for (; done < ordered; ++done) {
      sum += items_[done].probability;
      if (sum >= share || done + 1 == items_.size()) {
        items_.resize(done + 1);
        sorted_ = true;
        return;
      }
    }
  }
}

void Candidates::set_probabilities() {
  const float top = sorted_ ? items_.front().logit : std::ranges::min_element(items_, more_likely)->logit;
  double sum = 0.0;
  for (Candidate& c : items_) {
    // Equal ones are told apart first: where nothing is allowed, all logits are -inf.
    const double difference = c.logit == top ? 0.0 : static_cast<double>(c.logit) - static_cast<double>(top);
    c.probability = difference < least_difference ? 0.0 : exp_f64(difference);
    sum += c.probability;
  }
  for (Candidate& c : items_) c.probability /= sum;
}

double Candidates::entropy() const {
  double entropy = 0.0;
  for (const Candidate& c : items_)
    if (c.probability > 0.0) entropy -= c.probability * log_f64(c.probability);
  return entropy;
}

std::size_t Candidates::find(double number) const {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    number -= items_[i].probability;
    if (number < 0.0) return i;
  }
  // Rounding left a crumb, which never goes to a token of probability 0.
  std::size_t last = items_.size() - 1;
  while (last > 0 && items_[last].probability == 0.0) --last;
  return last;
}

} // namespace kern
