// Logits -> one id, through a chain of named steps. Knows no model.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/samplers/candidates.h"
#include "engine/samplers/dry.h"
#include "engine/samplers/options.h"
#include "engine/samplers/selection.h"
#include "kernels/sampling.h"

namespace kern {

/// Logit bias, the steps in the order asked for, then one draw. With mirostat the only step is the temperature. Every
/// step keeps at least one candidate. Ties go to the lower id. The result is a function of the logits, the history and
/// (seed, position); with mirostat or adaptive-p also of the tokens drawn since the construction or reset().
class Sampler {
public:
  /// Takes its memory here; sample() allocates nothing once the history has been as long as it gets.
  Sampler(SamplerOptions options, std::size_t vocab_size);

  /// logits [vocab_size], none of them NaN; history: the tokens before, prompt included; position: of the token to
  /// draw.
  std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> history, std::uint64_t position);

  /// Forgets what mirostat and adaptive-p learnt: for a text that doesn't continue the last one.
  void reset();

  const SamplerOptions& options() const { return options_; }
  /// The same draws as a chain that a backend knows, where nothing else of the sampler has an effect.
  std::optional<SamplingChain> chain() const;
  /// What the last call drew from, with likelihoods.
  const Candidates& candidates() const { return candidates_; }

private:
  void add_bias();
  /// Whether nothing can come of the steps but the most likely token.
  bool is_greedy() const;
  void run(SamplerStep step, std::span<const std::int32_t> history, std::uint64_t position);
  std::int32_t draw(std::uint64_t position);

  SamplerOptions options_;
  Candidates candidates_;
  std::vector<std::int32_t> counts_; // [vocab_size], zero between calls
  DryPenalty dry_;
  Mirostat mirostat_;
  AdaptiveTarget adaptive_;
};

} // namespace kern
