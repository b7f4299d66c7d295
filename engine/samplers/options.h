// What a sampler is told: plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kern {

/// The steps of a chain, which run in the order a user gives.
enum class SamplerStep { penalties, dry, top_n_sigma, top_k, typical, top_p, min_p, xtc, temperature };

/// "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"
std::vector<SamplerStep> default_steps();
std::string step_names(const std::vector<SamplerStep>& steps);

/// Names separated by ';', with - or _ between words, as llama.cpp spells them; `adaptive_p`, which has no place in the
/// order because it draws, is passed over. Throws std::invalid_argument naming what is no step, and for more than 64.
std::vector<SamplerStep> parse_step_names(std::string_view names);
/// The same from one letter a step, of "edskypmxt" and 'a'.
std::vector<SamplerStep> parse_step_letters(std::string_view letters);

struct SamplerOptions {
  std::uint64_t seed = 0;
  std::vector<SamplerStep> steps = default_steps();
  float temperature = 0.8f;    // 0: the most likely token
  float dynatemp_range = 0.0f; // 0: off; else the temperature lies within temperature +- range, by entropy
  float dynatemp_exponent = 1.0f;
  int top_k = 40;            // 0: all
  float top_p = 0.95f;       // 1: off
  float min_p = 0.05f;       // 0: off
  float typical_p = 1.0f;    // 1: off
  float top_n_sigma = -1.0f; // 0 and below: off
  float xtc_probability = 0.0f;
  float xtc_threshold = 0.1f; // above 0.5: off
  float repeat_penalty = 1.0f;
  int repeat_last_n = 64; // tokens the penalties look back; -1: all, 0: off
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  float dry_multiplier = 0.0f; // 0: off
  float dry_base = 1.75f;      // below 1: off
  int dry_allowed_length = 2;
  int dry_penalty_last_n = 64;                         // tokens DRY looks back; -1: all, 0: off
  std::vector<std::vector<std::int32_t>> dry_breakers; // sequences of tokens over which no repetition is counted
  int mirostat = 0;                                    // 1, 2: instead of all steps but the temperature
  float mirostat_entropy = 5.0f;                       // tau, bits
  float mirostat_rate = 0.1f;                          // eta
  float adaptive_target = -1.0f;                       // below 0: off
  float adaptive_decay = 0.9f;                         // 0..0.99
  std::vector<std::pair<std::int32_t, float>> logit_bias;
};

} // namespace kern
