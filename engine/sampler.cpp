#include "engine/sampler.h"

#include <algorithm>
#include <utility>

#include "engine/samplers/steps.h"
#include "kernels/random.h"

namespace kern {

namespace {

/// Independent draws at one position.
constexpr std::uint32_t token_stream = 0;
constexpr std::uint32_t xtc_stream = 1;

} // namespace

Sampler::Sampler(SamplerOptions options, std::size_t vocab_size)
    : options_(std::move(options)), candidates_(vocab_size), counts_(vocab_size, 0), dry_(options_, vocab_size),
      mirostat_(options_, vocab_size), adaptive_(options_) {}

std::int32_t Sampler::sample(std::span<const float> logits, std::span<const std::int32_t> history,
                             std::uint64_t position) {
  candidates_.load(logits);
  add_bias();
  if (options_.mirostat != 0) {
    scale_by_temperature(candidates_, options_);
    return mirostat_.draw(candidates_, uniform(options_.seed, position, token_stream));
  }
  const bool greedy = is_greedy();
  for (const SamplerStep step : options_.steps)
    if (!greedy || step == SamplerStep::penalties || step == SamplerStep::dry) run(step, history, position);
  if (greedy) candidates_.keep_best();
  return draw(position);
}

void Sampler::reset() {
  mirostat_.reset();
  adaptive_.reset();
}

void Sampler::add_bias() {
  std::vector<Candidate>& items = candidates_.items(); // in the order of their ids
  for (const auto& [id, bias] : options_.logit_bias)
    if (id >= 0 && static_cast<std::size_t>(id) < items.size()) items[static_cast<std::size_t>(id)].logit += bias;
}

std::optional<SamplingChain> Sampler::chain() const {
  const SamplerOptions& o = options_;
  const bool penalizes =
      o.repeat_last_n != 0 && (o.repeat_penalty != 1.0f || o.presence_penalty != 0.0f || o.frequency_penalty != 0.0f);
  const bool others = penalizes || o.dry_multiplier != 0.0f || o.top_n_sigma > 0.0f || o.typical_p < 1.0f ||
                      o.xtc_probability > 0.0f || o.dynatemp_range > 0.0f || o.mirostat != 0 ||
                      o.adaptive_target >= 0.0f || !o.logit_bias.empty();
  if (others || o.steps != default_steps()) return std::nullopt;
  return SamplingChain{o.seed, o.temperature, o.top_k, o.top_p, o.min_p};
}

bool Sampler::is_greedy() const {
  const SamplerOptions& o = options_;
  const auto has = [&](SamplerStep step) { return std::ranges::find(o.steps, step) != o.steps.end(); };
  return o.temperature <= 0.0f && o.dynatemp_range <= 0.0f && has(SamplerStep::temperature) &&
         (o.xtc_probability <= 0.0f || !has(SamplerStep::xtc)) && (o.typical_p >= 1.0f || !has(SamplerStep::typical));
}

void Sampler::run(SamplerStep step, std::span<const std::int32_t> history, std::uint64_t position) {
  switch (step) {
  case SamplerStep::penalties: return penalize(candidates_, options_, history, counts_);
  case SamplerStep::dry: return dry_.apply(candidates_, history);
  case SamplerStep::top_n_sigma: return keep_top_n_sigma(candidates_, options_.top_n_sigma);
  case SamplerStep::top_k:
    if (options_.top_k > 0) candidates_.keep_top(static_cast<std::size_t>(options_.top_k));
    return;
  case SamplerStep::typical: return keep_typical(candidates_, options_.typical_p);
  case SamplerStep::top_p: return keep_top_p(candidates_, options_.top_p);
  case SamplerStep::min_p: return keep_min_p(candidates_, options_.min_p);
  case SamplerStep::xtc: return exclude_top(candidates_, options_, uniform(options_.seed, position, xtc_stream));
  case SamplerStep::temperature: return scale_by_temperature(candidates_, options_);
  }
}

std::int32_t Sampler::draw(std::uint64_t position) {
  const double number = uniform(options_.seed, position, token_stream);
  if (options_.adaptive_target >= 0.0f) return adaptive_.draw(candidates_, number);
  candidates_.set_likelihoods();
  return candidates_.items()[candidates_.find(number)].id;
}

} // namespace kern
