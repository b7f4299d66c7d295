// Logits -> one id, through a chain of named steps. Knows no model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kern {

struct SamplerOptions {
  std::uint64_t seed = 0;
  float temperature = 0.8f; // 0: the most likely token
  int top_k = 40;           // 0: all
  float top_p = 0.95f;      // 1: off
  float min_p = 0.05f;      // 0: off
  float typical_p = 1.0f;   // 1: off
  float repeat_penalty = 1.0f;
  int repeat_last_n = 64; // tokens the penalties look back; -1: all, 0: off
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  std::vector<std::pair<std::int32_t, float>> logit_bias;
};

/// A token that may still be chosen.
struct Candidate {
  std::int32_t id;
  float logit;
  double probability; // set by the steps that need it
};

/// Steps, in order: logit bias, penalties, top-k, typical, top-p, min-p, temperature; then one draw. Every step keeps
/// at least one candidate. Ties go to the lower id. The result is a function of the logits, the history and (seed,
/// position).
class Sampler {
public:
  /// Takes its memory here; sample() allocates nothing.
  Sampler(SamplerOptions options, std::size_t vocab_size);

  /// logits [vocab_size], none of them NaN; history: the tokens before, prompt included; position: of the token to
  /// draw.
  std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> history, std::uint64_t position);

  const SamplerOptions& options() const { return options_; }

private:
  void add_bias();
  void penalize(std::span<const std::int32_t> history);
  std::int32_t greedy() const;
  void keep_top_k();
  void keep_typical();
  void keep_top_p();
  void keep_min_p();
  void scale_by_temperature();
  void set_probabilities();
  std::int32_t draw(std::uint64_t position);

  SamplerOptions options_;
  std::vector<Candidate> candidates_;
  std::vector<Candidate> storage_;   // for ordering without losing the candidates' own order
  std::vector<std::int32_t> counts_; // [vocab_size], zero between calls
};

} // namespace kern
