// The flags of sampling, and what a model and its vocabulary add to them.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/options.h"
#include "model/metadata.h"
#include "tokenizer/tokenizer.h"

namespace kern {

void add_sampler_flags(CLI::App& app, GenerationFlags& flags);

/// A number from `low` to `high`, which excludes "nan".
CLI::Validator within(double low, double high);

/// "ID+BIAS" or "ID-BIAS" -> (id, bias). Throws Error(usage).
std::pair<std::int32_t, float> parse_logit_bias(const std::string& text);

/// How tokens are drawn, and which settings of it the model file brought.
struct Sampling {
  SamplerOptions options;
  std::vector<std::string> from_model; // as in "top-k"
};

/// The flags; where they are silent, the file's general.sampling.* and kern's defaults. A random seed where there is
/// none, the tokens of DRY's breakers, and with --ignore-eos no chance for `end_tokens`. Throws Error(usage) for a
/// --logit-bias outside the vocabulary and Error(model) for settings of the file that make no sense.
Sampling choose_sampling(const GenerationFlags& flags, const Metadata& metadata, const Tokenizer& tokenizer,
                         std::span<const Token> end_tokens);

/// The settings as flags, a line each.
std::string sampler_text(const SamplerOptions& options);

/// A line for every flag given that changes nothing because of others: it belongs to a step that --samplers leaves out
/// or mirostat replaces.
std::vector<std::string> idle_flags(const GenerationFlags& flags, const SamplerOptions& options);

} // namespace kern
