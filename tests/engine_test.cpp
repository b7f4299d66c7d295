// The engine: random numbers, sampling steps, stop strings, the token loop.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "engine/generate.h"
#include "engine/sampler.h"
#include "engine/stop.h"
#include "kernels/random.h"
#include "model/error.h"
#include "tests/fixtures.h"
#include "tests/kernel_helpers.h"

namespace kern {

namespace {

SamplerOptions off() {
  SamplerOptions options;
  options.temperature = 1.0f;
  options.top_k = 0;
  options.top_p = 1.0f;
  options.min_p = 0.0f;
  return options;
}

std::vector<double> softmax(const std::vector<float>& logits) {
  std::vector<double> p;
  const double top = static_cast<double>(*std::ranges::max_element(logits));
  for (const float logit : logits) p.push_back(std::exp(static_cast<double>(logit) - top));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value /= sum;
  return p;
}

/// Shares of the ids over many draws.
std::map<std::int32_t, double> shares(const SamplerOptions& options, const std::vector<float>& logits,
                                      const std::vector<std::int32_t>& history = {}) {
  Sampler sampler(options, logits.size());
  constexpr int draws = 20000;
  std::map<std::int32_t, double> counts;
  for (int i = 0; i < draws; ++i) counts[sampler.sample(logits, history, static_cast<std::uint64_t>(i))] += 1.0 / draws;
  return counts;
}

/// Expected: the ids of `kept` with their probabilities renormalised. Four standard deviations of 20000 draws are
/// 0.0142.
void check_shares(const std::map<std::int32_t, double>& found, const std::vector<double>& p,
                  const std::vector<std::int32_t>& kept) {
  double sum = 0;
  for (const std::int32_t id : kept) sum += p[static_cast<std::size_t>(id)];
  for (const auto& [id, share] : found) CHECK(std::ranges::find(kept, id) != kept.end());
  for (const std::int32_t id : kept) {
    const auto at = found.find(id);
    CHECK((at == found.end() ? 0.0 : at->second) ==
          doctest::Approx(p[static_cast<std::size_t>(id)] / sum).epsilon(0).scale(1).epsilon(0.0142));
  }
}

const std::vector<float> logits = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f, 0.5f};

} // namespace

TEST_CASE("Philox gives its published numbers") {
  // Known answers of philox4x32-10 in the authors' Random123 (kat_vectors).
  CHECK(philox({{0, 0, 0, 0}}, 0, 0) == PhiloxCounter{{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  CHECK(philox({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffff, 0xffffffff) ==
        PhiloxCounter{{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  CHECK(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0) ==
        PhiloxCounter{{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_CASE("the most likely token, ties to the lower id") {
  SamplerOptions options = off();
  options.temperature = 0.0f;
  CHECK(Sampler(options, 6).sample(logits, {}, 0) == 1);
  options.logit_bias = {{1, -INFINITY}};
  CHECK(Sampler(options, 6).sample(logits, {}, 0) == 3);
}

TEST_CASE("draws follow the softmax, and the temperature") {
  check_shares(shares(off(), logits), softmax(logits), {0, 1, 2, 3, 4, 5});
  SamplerOptions options = off();
  options.temperature = 0.5f;
  std::vector<float> sharper = logits;
  for (float& logit : sharper) logit *= 2;
  check_shares(shares(options, logits), softmax(sharper), {0, 1, 2, 3, 4, 5});
}

TEST_CASE("top-k, top-p, min-p and typical keep what their definitions say") {
  const std::vector<double> p = softmax(logits); // 0.053 0.39 0.143 0.39 0.0071 0.032 (rounded)
  SamplerOptions options = off();
  options.top_k = 3;
  check_shares(shares(options, logits), p, {1, 3, 2});
  options.top_k = 1; // the tie goes to the lower id
  check_shares(shares(options, logits), p, {1});
  options = off();
  options.top_p = 0.75f;
  check_shares(shares(options, logits), p, {1, 3});
  options.top_p = 0.0f;
  check_shares(shares(options, logits), p, {1});
  options = off();
  options.min_p = 0.3f;
  check_shares(shares(options, logits), p, {1, 3, 2});
  options.min_p = 1.0f;
  check_shares(shares(options, logits), p, {1, 3});
  options = off();
  options.typical_p = 0.5f;
  // By definition: order of |-log p - entropy|, until the probabilities reach 0.5.
  double entropy = 0;
  for (const double value : p) entropy -= value * std::log(value);
  std::vector<std::int32_t> order(6);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, {}, [&](std::int32_t id) { return std::abs(-std::log(p[static_cast<std::size_t>(id)]) - entropy); });
  std::vector<std::int32_t> kept;
  for (double sum = 0; sum < 0.5; sum += p[static_cast<std::size_t>(kept.back())]) kept.push_back(order[kept.size()]);
  check_shares(shares(options, logits), p, kept);
}

TEST_CASE("penalties and biases change the logits as defined") {
  SamplerOptions options = off();
  options.repeat_penalty = 2.0f;
  options.presence_penalty = 0.25f;
  options.frequency_penalty = 0.5f;
  options.repeat_last_n = 4;
  options.logit_bias = {{5, 1.0f}};
  const std::vector<std::int32_t> history = {0, 0, 1, 4, 4, 1}; // the last four count: 1, 4, 4, 1
  std::vector<float> expected = logits;
  expected[1] = 3.0f / 2.0f - 2 * 0.5f - 0.25f;
  expected[4] = -1.0f * 2.0f - 2 * 0.5f - 0.25f;
  expected[5] += 1.0f;
  check_shares(shares(options, logits, history), softmax(expected), {0, 1, 2, 3, 4, 5});
  options.repeat_last_n = -1;
  expected[0] = 1.0f / 2.0f - 2 * 0.5f - 0.25f;
  check_shares(shares(options, logits, history), softmax(expected), {0, 1, 2, 3, 4, 5});
}

TEST_CASE("a draw is a function of seed and position") {
  SamplerOptions options = off();
  options.seed = 5;
  Sampler a(options, 6), b(options, 6);
  std::vector<std::int32_t> first, second, other;
  for (std::uint64_t i = 0; i < 200; ++i) first.push_back(a.sample(logits, {}, i));
  for (std::uint64_t i = 200; i-- > 0;) second.push_back(b.sample(logits, {}, i)); // in any order
  std::ranges::reverse(second);
  CHECK(first == second);
  options.seed = 6;
  Sampler c(options, 6);
  for (std::uint64_t i = 0; i < 200; ++i) other.push_back(c.sample(logits, {}, i));
  CHECK(first != other);
}

TEST_CASE("stop strings never leak a part, however the text comes") {
  std::mt19937 generator(3);
  const std::vector<std::string> stops = {"STOP", "TOPPLE", "ab", "OPS!"};
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    const char* parts[] = {"S", "T", "O", "P", "ST", "TOP", "a", "b", "x", "L", "E", "PLE", "!"};
    for (int i = 0; i < 12; ++i) text += parts[generator() % std::size(parts)];
    // By definition: what comes before the earliest match that is complete first.
    std::string expected = text, found;
    for (std::size_t end = 1; end <= text.size() && found.empty(); ++end) {
      std::size_t first = std::string::npos;
      for (const std::string& stop : stops)
        if (end >= stop.size() && text.compare(end - stop.size(), stop.size(), stop) == 0 &&
            end - stop.size() < first) {
          first = end - stop.size();
          found = stop;
        }
      if (!found.empty()) expected = text.substr(0, first);
    }
    StopMatcher matcher(stops);
    std::string out;
    for (const char c : text) {
      out += matcher.push(std::string_view(&c, 1));
      REQUIRE(expected.starts_with(out));
    }
    out += matcher.finish();
    REQUIRE(out == expected);
    REQUIRE(matcher.found() == found);
  }
  StopMatcher none({""});
  CHECK(none.push("text") == "text");
}

TEST_CASE("every end of the token loop has its reason") {
  const Gguf gguf = Gguf::open(test::data_path("models/llama-rope3.gguf"));
  const test::Reference reference = test::read_reference("llama-rope3");
  CpuBackend backend(1);
  const Model model(gguf, backend);
  SamplerOptions sampling = off();
  sampling.temperature = 0.0f;
  std::string text;
  const auto run = [&](GenerateOptions options, int context,
                       const std::function<void(GenerateCallbacks&)>& change = {}) {
    SessionOptions session_options;
    session_options.context = context;
    session_options.key_format = session_options.value_format = Format::f32;
    Session session(model, session_options);
    Sampler sampler(sampling, static_cast<std::size_t>(model.spec().vocab_size));
    text.clear();
    GenerateCallbacks callbacks;
    callbacks.to_text = [](std::int32_t token) { return "<" + std::to_string(token) + ">"; };
    callbacks.finish_text = [] { return std::string("."); };
    callbacks.emit = [&](std::string_view part) {
      text += part;
      return true;
    };
    callbacks.interrupted = [] { return false; };
    if (change) change(callbacks);
    return generate(session, sampler, reference.prompt, options, callbacks);
  };
  const int prompt = static_cast<int>(reference.prompt.size());
  GenerateOptions options;
  options.max_tokens = 5;
  GenerateResult result = run(options, 200);
  CHECK(result.reason == EndReason::length);
  CHECK(result.tokens == std::vector<std::int32_t>(reference.greedy.begin(), reference.greedy.begin() + 5));
  CHECK(result.prompt_tokens == reference.prompt.size());
  CHECK(result.token_seconds.size() == 4);
  std::string expected;
  for (const std::int32_t token : result.tokens) expected += "<" + std::to_string(token) + ">";
  CHECK(text == expected + ".");

  options.max_tokens = 0;
  result = run(options, prompt);
  CHECK(result.reason == EndReason::length);
  CHECK(result.tokens.empty());

  options.max_tokens = -1;
  result = run(options, prompt + 7);
  CHECK(result.reason == EndReason::context);
  CHECK(result.tokens.size() == 7);

  options.end_tokens = {reference.greedy[3]};
  result = run(options, 200);
  CHECK(result.reason == EndReason::end_of_generation);
  CHECK(result.tokens.size() ==
        static_cast<std::size_t>(std::ranges::find(reference.greedy, reference.greedy[3]) - reference.greedy.begin()));

  options.end_tokens = {};
  options.stops = {std::to_string(reference.greedy[1]) + "><" + std::to_string(reference.greedy[2]).substr(0, 1)};
  result = run(options, 200);
  CHECK(result.reason == EndReason::stop_string);
  CHECK(text == "<" + std::to_string(reference.greedy[0]) + "><");

  options.stops = {};
  result =
      run(options, 200, [](GenerateCallbacks& c) { c.interrupted = [count = 0]() mutable { return ++count > 4; }; });
  CHECK(result.reason == EndReason::interrupted);
  result = run(options, 200, [](GenerateCallbacks& c) { c.emit = [](std::string_view) { return false; }; });
  CHECK(result.reason == EndReason::closed);
  CHECK(result.tokens.size() == 1);
  options.max_time = std::chrono::milliseconds(0);
  result = run(options, 200);
  CHECK(result.reason == EndReason::time);
}

} // namespace kern
