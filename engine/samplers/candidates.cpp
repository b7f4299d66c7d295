#include "engine/samplers/candidates.h"

#include <algorithm>

#include "kernels/math.h"
#include "kernels/sampling.h"

namespace kern {

namespace {

/// Most shares are reached within so many; each further try sorts that many times more.
constexpr std::size_t first_try = 128;
constexpr std::size_t growth = 8;

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
  for (std::size_t i = 0; i < logits.size(); ++i) items_.push_back({static_cast<std::int32_t>(i), logits[i], 0});
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

void Candidates::keep_share(float share) {
  set_likelihoods();
  const std::uint64_t wanted = share_of_sum(sum_, share);
  std::size_t done = 0;
  std::uint64_t sum = 0;
  for (std::size_t ordered = std::min(first_try, items_.size());; ordered = std::min(ordered * growth, items_.size())) {
    const auto at = [&](std::size_t i) { return items_.begin() + static_cast<std::ptrdiff_t>(i); };
    if (!sorted_) std::partial_sort(at(done), at(ordered), items_.end(), more_likely);
    for (; done < ordered; ++done) {
      sum += items_[done].likelihood;
      if (sum > wanted || done + 1 == items_.size()) {
        items_.resize(done + 1);
        sorted_ = true;
        return;
      }
    }
  }
}

void Candidates::set_likelihoods() {
  const float top = sorted_ ? items_.front().logit : std::ranges::min_element(items_, more_likely)->logit;
  sum_ = 0;
  for (Candidate& c : items_) {
    c.likelihood = likelihood(c.logit, top);
    sum_ += c.likelihood;
  }
}

double Candidates::entropy() const {
  double entropy = 0.0;
  for (const Candidate& c : items_)
    if (const double p = probability(c); p > 0.0) entropy -= p * log_f64(p);
  return entropy;
}

std::size_t Candidates::find(double number) const {
  const std::uint64_t drawn = draw_from_sum(sum_, number);
  std::size_t i = 0;
  for (std::uint64_t sum = items_[0].likelihood; sum <= drawn && i + 1 < items_.size(); sum += items_[i].likelihood)
    ++i;
  return i;
}

} // namespace kern
