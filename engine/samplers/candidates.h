// The tokens that may still be chosen, and what the steps of a chain share.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kern {

/// A token that may still be chosen.
struct Candidate {
  std::int32_t id;
  float logit;
  std::uint64_t likelihood; // kernels/sampling.h; set by the steps that need it
};

/// Greater logit first; ties go to the lower id.
bool more_likely(const Candidate& a, const Candidate& b);

/// Takes its memory once. Never empty after load() of a vocabulary.
class Candidates {
public:
  explicit Candidates(std::size_t vocab_size);

  /// All tokens in the order of their ids. logits [vocab_size]
  void load(std::span<const float> logits);

  std::vector<Candidate>& items() { return items_; }
  const std::vector<Candidate>& items() const { return items_; }
  std::size_t size() const { return items_.size(); }

  /// Most likely first.
  void sort();
  /// The `count` most likely, sorted.
  void keep_top(std::size_t count);
  /// The first `count`; at least one stays.
  void keep_first(std::size_t count);
  /// Only the most likely.
  void keep_best() { keep_top(1); }
  /// Logits were changed, or the order.
  void mark_unsorted() { sorted_ = false; }
  /// The most likely come first until their probabilities reach `share`, in [0, 1); those stay.
  void keep_share(float share);

  /// Sets the likelihoods, from which probabilities are those of the candidates there are now: the softmax of their
  /// logits.
  void set_likelihoods();
  std::uint64_t sum() const { return sum_; }
  double probability(const Candidate& c) const { return static_cast<double>(c.likelihood) / static_cast<double>(sum_); }
  /// Of the probabilities, in nats.
  double entropy() const;
  /// Where a number from [0, 1) falls among the probabilities.
  std::size_t find(double number) const;

  /// Room for ordering without losing the candidates' own order.
  std::vector<Candidate>& storage() { return storage_; }

private:
  std::vector<Candidate> items_;
  std::vector<Candidate> storage_;
  std::uint64_t sum_ = 0; // of the likelihoods when they were set
  bool sorted_ = false;
};

} // namespace kern
