// What a backend can draw a token by, and the arithmetic of a draw.
#pragma once

#include <cstdint>

#include "kernels/math.h"

namespace kern {

/// The most candidates that a device sorts; where more are asked for it searches the vocabulary instead.
inline constexpr int most_top_k = 1024;

/// Steps of a sampler (engine/samplers/options.h) in their default order: top-k, top-p, min-p, temperature.
struct SamplingChain {
  std::uint64_t seed = 0;
  float temperature = 0.0f; // 0: the most likely token
  int top_k = 0;            // 0: all
  float top_p = 1.0f;       // 1: off
  float min_p = 0.0f;       // 0: off
};

/// How likely the greatest logit is. Likelihoods are whole numbers, so that the sum of any of them is the same in every
/// order, and a device finds what the host does: those of 2^23 tokens fit 64 bits. Tokens less than 2^-41 as likely as
/// the first count as impossible.
inline constexpr double greatest_likelihood = 0x1p40;

/// e^(logit - greatest) of the greatest likelihood, to the nearest whole number. Neither is NaN.
KERN_INLINE std::uint64_t likelihood(float logit, float greatest) {
  // Equal ones are told apart first: where nothing is allowed, all logits are -inf.
  const double difference = logit == greatest ? 0.0 : static_cast<double>(logit) - static_cast<double>(greatest);
  return !(difference >= -40.0) ? 0 : static_cast<std::uint64_t>(exp_f64(difference) * greatest_likelihood + 0.5);
}

/// Whether that is at least `share` of the greatest one.
KERN_INLINE bool is_likely(std::uint64_t likelihood, float share) {
  return static_cast<double>(likelihood) >= static_cast<double>(share) * greatest_likelihood;
}

/// The candidate whose likelihood carries the sum of those before it beyond this ends the shortest row of candidates
/// that has `share`, in [0, 1), of the likelihoods' sum.
KERN_INLINE std::uint64_t share_of_sum(std::uint64_t sum, float share) {
  const double wanted = static_cast<double>(share) * static_cast<double>(sum);
  const auto whole = static_cast<std::uint64_t>(wanted);
  return static_cast<double>(whole) == wanted && whole > 0 ? whole - 1 : whole;
}

/// The candidate whose likelihood carries the sum of those before it beyond this is drawn by a number from [0, 1).
KERN_INLINE std::uint64_t draw_from_sum(std::uint64_t sum, double number) {
  const auto drawn = static_cast<std::uint64_t>(number * static_cast<double>(sum));
  return drawn < sum ? drawn : sum - 1;
}

} // namespace kern
