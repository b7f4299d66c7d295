// DRY, "don't repeat yourself": a token that would continue a repetition is the less likely the longer that already is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/samplers/candidates.h"
#include "engine/samplers/options.h"

namespace kern {

/// Where the last n tokens of the history also stand earlier, and n is at least the allowed length, what followed there
/// loses multiplier * base^(n - allowed length) of its logit (p-e-w's definition of 2024, as llama.cpp has it).
/// Repetitions are counted back to the last sequence breaker.
class DryPenalty {
public:
  /// Takes its memory here.
  DryPenalty(const SamplerOptions& options, std::size_t vocab_size);

  /// Linear in the history looked at.
  void apply(Candidates& candidates, std::span<const std::int32_t> history);

private:
  /// Tokens behind the last breaker in `recent`, all where there is none.
  int find_limit(std::span<const std::int32_t> recent) const;
  /// Sets longest_ for the tokens that would continue a repetition.
  void find_repetitions(std::span<const std::int32_t> recent, int limit);
  bool is_breaker(std::int32_t id) const;
  float penalty(int length) const;

  bool enabled_;
  float multiplier_;
  double base_;
  int allowed_length_;
  int last_n_;
  int greatest_exponent_ = 0;                       // 0: no limit is needed
  std::vector<std::vector<std::int32_t>> breakers_; // sorted: those with one first token are neighbours
  std::vector<int> overlaps_;                       // of the reversed history with itself
  std::vector<std::int32_t> longest_; // [vocab_size], -1 between calls: tokens of the longest repetition it continues
};

} // namespace kern
