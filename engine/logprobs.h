// What a model itself thought of a token, before any sampler.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kern {

struct TokenLogprob {
  std::int32_t id = 0;
  double logprob = 0.0; // natural logarithm
};

struct TokenChoice {
  TokenLogprob taken;
  std::vector<TokenLogprob> best; // most likely first, ties to the lower id
};

/// logits [vocab_size], finite; `best`: how many of the most likely tokens are wanted.
TokenChoice describe_choice(std::span<const float> logits, std::int32_t taken, std::size_t best);

} // namespace kern
