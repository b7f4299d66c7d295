#include <algorithm>
#include <cmath>

#include "kernels/math.h"
#include "model/spec.h"

namespace kern {

namespace {

constexpr double two_pi = 6.283185307179586;

/// The pair whose frequency makes `turns` turns within the original context (arXiv 2309.00071, section 3.2).
double pair_of_turns(const RopeSpec& rope, double turns) {
  return rope.dims * log_f64(rope.original_context / (turns * two_pi)) / (2.0 * log_f64(rope.base));
}

/// 1 where a frequency is kept, 0 where it is divided by the factor.
double yarn_kept_share(const RopeSpec& rope, int pair) {
  const double low = std::max(0.0, std::floor(pair_of_turns(rope, rope.beta_fast)));
  const double high = std::min(rope.dims - 1.0, std::ceil(pair_of_turns(rope, rope.beta_slow)));
  const double ramp = std::clamp((pair - low) / std::max(0.001, high - low), 0.0, 1.0);
  return (1.0 - ramp) * rope.extrapolation;
}

} // namespace

std::vector<double> rope_frequencies(const RopeSpec& rope, const std::vector<float>& factors) {
  std::vector<double> frequencies;
  const double log_base = log_f64(rope.base);
  for (int i = 0; i < rope.dims / 2; ++i) {
    double frequency = exp_f64(-2.0 * i / rope.dims * log_base);
    if (rope.has_factors) frequency /= static_cast<double>(factors[static_cast<std::size_t>(i)]);
    if (rope.scaling == RopeScaling::linear) frequency /= rope.factor;
    if (rope.scaling == RopeScaling::yarn) {
      const double kept = yarn_kept_share(rope, i);
      frequency = frequency / rope.factor * (1.0 - kept) + frequency * kept;
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

float rope_magnitude(const RopeSpec& rope) {
  if (rope.scaling != RopeScaling::yarn || rope.extrapolation == 0.0) return 1.0f;
  return static_cast<float>(rope.attention_factor * (1.0 + 0.1 * log_f64(rope.factor)));
}

} // namespace kern
