// The sampler's chain against scripts/make_sampler_fixtures.py, and where definitions have their edges.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "engine/logprobs.h"
#include "engine/sampler.h"
#include "tests/fixtures.h"

namespace kern {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

SamplerOptions off() {
  SamplerOptions options;
  options.temperature = 1.0f;
  options.top_k = 0;
  options.top_p = 1.0f;
  options.min_p = 0.0f;
  return options;
}

float number(const nlohmann::json& json) { return json.is_null() ? -infinity : json.get<float>(); }

std::vector<float> numbers(const nlohmann::json& json) {
  std::vector<float> values;
  for (const auto& value : json) values.push_back(number(value));
  return values;
}

/// Sets one option by its name in the fixtures; false for an unknown one.
bool set(SamplerOptions& o, const std::string& name, const nlohmann::json& value) {
  const std::pair<const char*, float*> floats[] = {{"temperature", &o.temperature},
                                                   {"dynatemp_range", &o.dynatemp_range},
                                                   {"dynatemp_exponent", &o.dynatemp_exponent},
                                                   {"top_p", &o.top_p},
                                                   {"min_p", &o.min_p},
                                                   {"typical_p", &o.typical_p},
                                                   {"top_n_sigma", &o.top_n_sigma},
                                                   {"xtc_probability", &o.xtc_probability},
                                                   {"xtc_threshold", &o.xtc_threshold},
                                                   {"repeat_penalty", &o.repeat_penalty},
                                                   {"presence_penalty", &o.presence_penalty},
                                                   {"frequency_penalty", &o.frequency_penalty},
                                                   {"dry_multiplier", &o.dry_multiplier},
                                                   {"dry_base", &o.dry_base},
                                                   {"mirostat_entropy", &o.mirostat_entropy},
                                                   {"mirostat_rate", &o.mirostat_rate},
                                                   {"adaptive_target", &o.adaptive_target},
                                                   {"adaptive_decay", &o.adaptive_decay}};
  const std::pair<const char*, int*> integers[] = {{"top_k", &o.top_k},
                                                   {"repeat_last_n", &o.repeat_last_n},
                                                   {"dry_allowed_length", &o.dry_allowed_length},
                                                   {"dry_penalty_last_n", &o.dry_penalty_last_n},
                                                   {"mirostat", &o.mirostat}};
  for (const auto& [known, field] : floats)
    if (name == known) return *field = value.get<float>(), true;
  for (const auto& [known, field] : integers)
    if (name == known) return *field = value.get<int>(), true;
  if (name == "seed") return o.seed = value.get<std::uint64_t>(), true;
  if (name == "steps") return o.steps = parse_step_names(value.get<std::string>()), true;
  if (name == "dry_breakers") return o.dry_breakers = value, true;
  if (name != "logit_bias") return false;
  for (const auto& pair : value) o.logit_bias.push_back({pair[0].get<std::int32_t>(), number(pair[1])});
  return true;
}

SamplerOptions read_options(const nlohmann::json& json) {
  SamplerOptions options = off();
  for (const auto& [name, value] : json.items()) REQUIRE_MESSAGE(set(options, name, value), name);
  return options;
}

void check_candidates(const Sampler& sampler, const nlohmann::json& kept) {
  std::vector<Candidate> found(sampler.candidates().items().begin(), sampler.candidates().items().end());
  std::ranges::sort(found, {}, &Candidate::id);
  REQUIRE(found.size() == kept.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    REQUIRE(found[i].id == kept[i][0].get<std::int32_t>());
    // kern's logits are float between the steps.
    CHECK(sampler.candidates().probability(found[i]) ==
          doctest::Approx(kept[i][1].get<double>()).epsilon(1e-5).scale(1e-3));
  }
}

TEST_CASE("samplers keep the tokens and probabilities of their definitions") {
  const auto cases = nlohmann::json::parse(std::ifstream(test::data_path("samplers/cases.json")));
  REQUIRE(cases.size() > 200);
  std::size_t cut = 0;
  for (const auto& test : cases) {
    CAPTURE(test["options"].dump());
    const SamplerOptions options = read_options(test["options"]);
    if (test.contains("draws")) {
      Sampler sampler(options, test["draws"][0]["logits"].size());
      for (int round = 0; round < 2; ++round) { // as new after a reset
        std::uint64_t position = 0;
        for (const auto& draw : test["draws"]) {
          CHECK(sampler.sample(numbers(draw["logits"]), {}, position++) == draw["id"].get<std::int32_t>());
          check_candidates(sampler, draw["kept"]);
        }
        sampler.reset();
      }
      continue;
    }
    const std::vector<float> logits = numbers(test["logits"]);
    CAPTURE(test["logits"].dump());
    const std::vector<std::int32_t> history = test["history"];
    Sampler sampler(options, logits.size());
    for (std::uint64_t position = 0; position < 2; ++position) { // nothing is left of a call
      const std::int32_t token = sampler.sample(logits, history, position);
      check_candidates(sampler, test["kept"]);
      const auto drawn = std::ranges::find(sampler.candidates().items(), token, &Candidate::id);
      REQUIRE(drawn != sampler.candidates().items().end());
      CHECK(drawn->likelihood > 0);
    }
    cut += test["kept"].size() < logits.size() ? 1 : 0;
  }
  CHECK(cut > 100); // most cases have something to decide
}

TEST_CASE("XTC happens as often as it is told, apart from which token is drawn") {
  SamplerOptions options = off();
  options.xtc_probability = 0.25f;
  options.xtc_threshold = 0.2f;
  const std::vector<float> logits = {2.0f, 1.9f, 1.8f, -1.0f};
  Sampler sampler(options, logits.size());
  int excluded = 0;
  constexpr int draws = 8000;
  int same = 0;
  SamplerOptions without = off();
  Sampler plain(without, logits.size());
  for (std::uint64_t i = 0; i < draws; ++i) {
    const std::int32_t token = sampler.sample(logits, {}, i);
    const bool was_cut = sampler.candidates().items().size() < logits.size();
    excluded += was_cut ? 1 : 0;
    const std::int32_t other = plain.sample(logits, {}, i);
    if (!was_cut) same += token == other ? 1 : 0;
    else CHECK(token >= 2);
  }
  CHECK(excluded > draws * 0.23);
  CHECK(excluded < draws * 0.27);
  CHECK(same == draws - excluded);
}

TEST_CASE("temperature 0 is the most likely token whatever the steps before cut, unless they cut the first") {
  const std::vector<float> logits = {1.0f, 3.0f, 2.9f, 3.0f, -1.0f};
  SamplerOptions options;
  options.temperature = 0.0f;
  CHECK(Sampler(options, 5).sample(logits, {}, 0) == 1);
  options.steps = parse_step_letters("tkpm");
  CHECK(Sampler(options, 5).sample(logits, {}, 0) == 1);
  options.mirostat = 2;
  CHECK(Sampler(options, 5).sample(logits, {}, 0) == 1);
  options = SamplerOptions();
  options.temperature = 0.0f;
  options.xtc_probability = 1.0f;
  CHECK(Sampler(options, 5).sample(logits, {}, 0) == 2); // the least of three above the threshold
}

TEST_CASE("DRY sees repetitions in long histories, in linear time") {
  SamplerOptions options = off();
  options.dry_multiplier = 1.0f;
  options.dry_base = 1.0f;
  options.dry_penalty_last_n = -1;
  std::vector<std::int32_t> history(200000, 7); // its square is beyond any test's patience
  Sampler sampler(options, 9);
  const std::vector<float> logits(9, 0.0f);
  static_cast<void>(sampler.sample(logits, history, 0));
  CHECK(sampler.candidates().items()[7].logit == -1.0f);
  CHECK(sampler.candidates().items()[6].logit == 0.0f);
}

TEST_CASE("a large vocabulary is ordered as far as a share needs, and no further changes it") {
  std::vector<float> flat(5000);
  for (std::size_t i = 0; i < flat.size(); ++i) flat[i] = static_cast<float>((i * 7919) % 5000) * 1e-4f;
  for (const float share : {0.01f, 0.1f, 0.6f, 0.999f}) {
    SamplerOptions options = off();
    options.top_p = share;
    Sampler sampler(options, flat.size());
    static_cast<void>(sampler.sample(flat, {}, 0));
    SamplerOptions ordered = options;
    ordered.top_k = 5000; // orders all first
    Sampler other(ordered, flat.size());
    static_cast<void>(other.sample(flat, {}, 0));
    REQUIRE(sampler.candidates().items().size() == other.candidates().items().size());
    for (std::size_t i = 0; i < other.candidates().items().size(); ++i)
      REQUIRE(sampler.candidates().items()[i].id == other.candidates().items()[i].id);
  }
}

TEST_CASE("steps are named as llama.cpp names them") {
  CHECK(step_names(default_steps()) == "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature");
  CHECK(parse_step_letters("edskypmxt") == default_steps());
  CHECK(parse_step_names("top-k;temperature;adaptive_p") ==
        std::vector<SamplerStep>{SamplerStep::top_k, SamplerStep::temperature});
  CHECK(parse_step_names("").empty());
  CHECK_THROWS_WITH_AS(parse_step_names("top_k;infill"), doctest::Contains("'infill'"), std::invalid_argument);
  CHECK_THROWS_AS(parse_step_letters("kz"), std::invalid_argument);
  CHECK_THROWS_AS(parse_step_letters(std::string(65, 'k')), std::invalid_argument);
}

TEST_CASE("what the model thought of a token is the softmax of its logits") {
  const std::vector<float> logits = {1.0f, 3.0f, 2.0f, 3.0f, -900.0f};
  const TokenChoice choice = describe_choice(logits, 2, 3);
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  CHECK(choice.taken.id == 2);
  CHECK(choice.taken.logprob == doctest::Approx(2.0 - std::log(sum)));
  REQUIRE(choice.best.size() == 3);
  CHECK(choice.best[0].id == 1);
  CHECK(choice.best[1].id == 3);
  CHECK(choice.best[2].id == 2);
  CHECK(choice.best[0].logprob == doctest::Approx(3.0 - std::log(sum)));
  CHECK(describe_choice(logits, 4, 9).best.size() == 5);
  CHECK(describe_choice(logits, 4, 0).taken.logprob == doctest::Approx(-900.0 - std::log(sum)));
}

} // namespace
} // namespace kern
