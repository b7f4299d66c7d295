// Steps that draw, and remember what they drew.
#pragma once

#include "engine/samplers/candidates.h"
#include "engine/samplers/options.h"

namespace kern {

/// Mirostat (Basu et al., 2021): keeps the surprise of the text near a target by cutting the candidates to those of a
/// surprise that is learnt. Version 1 finds how many from an estimate of the distribution's Zipf exponent, version 2
/// by the surprise itself.
class Mirostat {
public:
  Mirostat(const SamplerOptions& options, std::size_t vocab_size);

  /// The token drawn by a number from [0, 1). Updates the surprise allowed.
  std::int32_t draw(Candidates& candidates, double number);
  /// As new: twice the target.
  void reset();

private:
  /// How many candidates version 1 keeps. They are sorted, with probabilities.
  std::size_t estimate_count(const Candidates& candidates) const;

  int version_;
  double target_;
  double rate_;
  double vocab_size_;
  double surprise_ = 0.0; // mu, bits
};

/// Adaptive-p: prefers tokens whose probability is near a target, moved so that the mean of those drawn comes to the
/// target (llama.cpp's definition of 2025).
class AdaptiveTarget {
public:
  explicit AdaptiveTarget(const SamplerOptions& options);

  /// The token drawn by a number from [0, 1). Updates the mean.
  std::int32_t draw(Candidates& candidates, double number);
  /// As new: the mean is the target.
  void reset();

private:
  double target_;
  double decay_;
  double sum_ = 0.0; // of the probabilities drawn, each times decay^age
  double weight_ = 0.0;
};

} // namespace kern
