// The steps of a chain that need no memory of their own. Each keeps at least one candidate.
#pragma once

#include <cstdint>
#include <span>

#include "engine/samplers/candidates.h"
#include "engine/samplers/options.h"

namespace kern {

/// Repetition (Keskar et al., CTRL, 2019), presence and frequency penalties on what stands in the history. `counts`
/// [vocab_size] is zero before and after.
void penalize(Candidates& candidates, const SamplerOptions& options, std::span<const std::int32_t> history,
              std::span<std::int32_t> counts);

/// Those within n standard deviations of the greatest logit (Tang et al., Top-n-sigma, 2024). Logits of -inf are out.
void keep_top_n_sigma(Candidates& candidates, float n);
/// Those nearest to the expected surprise that together reach `share` (Meister et al., Locally typical sampling, 2022).
void keep_typical(Candidates& candidates, float share);
/// The most likely that together reach `share` (Holtzman et al., 2019).
void keep_top_p(Candidates& candidates, float share);
/// Those at least `share` times as likely as the first (Nguyen et al., 2024).
void keep_min_p(Candidates& candidates, float share);
/// Exclude top choices: of those at least `threshold` likely, only the last stays. `chance` in [0, 1): nothing happens
/// above the step's probability.
void exclude_top(Candidates& candidates, const SamplerOptions& options, double chance);
/// Divides by the temperature, or by one from temperature - range to temperature + range that grows with the share of
/// the greatest entropy possible (dynamic temperature). 0 keeps the most likely only.
void scale_by_temperature(Candidates& candidates, const SamplerOptions& options);

} // namespace kern
