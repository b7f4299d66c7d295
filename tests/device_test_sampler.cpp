// Sampling by kernels/cuda, executed on the host, against the sampler itself.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/sampler.h"
#include "kernels/cuda/top_keys.h"
#include "kernels/cuda/vocabulary_draw.h"
#include "tests/device_fixture.h"

namespace kern {

namespace {

using test::OnDevice;

constexpr float forbidden = -std::numeric_limits<float>::infinity();

/// Logits with ties, of which some are forbidden.
std::vector<float> rough_logits(std::size_t count, unsigned seed, float spread) {
  auto logits = random_floats(count, seed, spread);
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 3 == 0) logits[i] = std::round(logits[i] * 8.0f) / 8.0f; // among them 0 and -0
    if (i % 17 == 5) logits[i] = forbidden;
  }
  return logits;
}

SamplerOptions options_of(const SamplingChain& chain) {
  SamplerOptions options;
  options.seed = chain.seed;
  options.temperature = chain.temperature;
  options.top_k = chain.top_k;
  options.top_p = chain.top_p;
  options.min_p = chain.min_p;
  return options;
}

/// Draws at some positions on both sides.
void check_draws(const SamplingChain& chain, const std::vector<float>& logits, int draws) {
  CAPTURE(chain.temperature);
  CAPTURE(chain.top_k);
  CAPTURE(chain.top_p);
  CAPTURE(chain.min_p);
  CAPTURE(logits.size());
  const int vocab_size = static_cast<int>(logits.size());
  REQUIRE(cuda::can_sample(chain, vocab_size));
  OnDevice on;
  Sampler sampler(options_of(chain), logits.size());
  const float* logits_on = on.copy(logits);
  auto* token = on.array<std::int32_t>(1);
  auto* scratch = on.array<std::byte>(cuda::sampler_bytes(vocab_size));
  for (int i = 0; i < draws; ++i) {
    const std::uint64_t position = (std::uint64_t{3} << 32) + static_cast<std::uint64_t>(i) * 7;
    const auto* position_on = on.copy(std::vector<std::uint64_t>{position});
    cuda::launch_sample(on.device(), chain, logits_on, vocab_size, position_on, token, scratch);
    CHECK(on.read(token, 1)[0] == sampler.sample(logits, {}, position));
  }
}

} // namespace

TEST_CASE("device: the greatest logits in order, ties to the lower id: size x count x order of threads") {
  for (const int size : {1, 5, 4096, 4097, 40000})
    for (const int kept : {1, 2, 64, 1024}) {
      CAPTURE(size);
      CAPTURE(kept);
      const auto logits = rough_logits(static_cast<std::size_t>(size), 1, 2.0f);
      std::vector<std::int32_t> ids(logits.size());
      for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
      const auto at = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
      std::ranges::stable_sort(ids, [&](std::int32_t a, std::int32_t b) { return at(a) > at(b); });
      ids.resize(static_cast<std::size_t>(std::min(kept, size)));
      OnDevice on;
      const float* logits_on = on.copy(logits);
      auto* scratch = on.array<std::byte>(cuda::top_keys_bytes(size, kept));
      const auto check = [&] {
        const std::uint64_t* found = cuda::launch_top_keys(on.device(), logits_on, size, kept, scratch);
        const auto keys = on.read(found, ids.size());
        std::vector<std::int32_t> found_ids;
        bool same_logits = true;
        for (const std::uint64_t key : keys) {
          found_ids.push_back(cuda::id_of(key));
          same_logits = same_logits && cuda::logit_of(key) == at(cuda::id_of(key));
        }
        CHECK(found_ids == ids);
        CHECK(same_logits);
      };
      if (size == 4097) test::in_every_order(check);
      else check();
    }
}

TEST_CASE("device: tokens drawn are the host sampler's: each step there or not, at many positions") {
  const auto flat = rough_logits(300, 2, 1.0f);
  const auto steep = rough_logits(300, 3, 6.0f);
  for (const auto* logits : {&flat, &steep})
    for (const float temperature : {0.8f, 0.1f, 1.7f})
      for (const int top_k : {1, 40, 1000})
        for (const float top_p : {1.0f, 0.95f, 0.3f, 0.0f})
          for (const float min_p : {0.0f, 0.05f, 1.0f}) check_draws({42, temperature, top_k, top_p, min_p}, *logits, 3);
}

TEST_CASE("device: tokens drawn from a whole vocabulary are the host sampler's: each step there or not, at positions") {
  const auto flat = rough_logits(2500, 2, 1.0f); // three blocks, the last not full
  const auto steep = rough_logits(2500, 3, 6.0f);
  for (const auto* logits : {&flat, &steep})
    for (const float temperature : {0.8f, 0.1f, 1.7f})
      for (const int top_k : {0, 1500, 2500, 4000})
        for (const float top_p : {1.0f, 0.95f, 0.3f, 0.0f})
          for (const float min_p : {0.0f, 0.05f, 1.0f}) check_draws({42, temperature, top_k, top_p, min_p}, *logits, 3);
}

TEST_CASE("device: tokens drawn are the host sampler's: large and small vocabularies, ties, nothing allowed, greedy") {
  const SamplingChain usual{7, 0.8f, 40, 0.95f, 0.05f};
  const SamplingChain greedy{7, 0.0f, 40, 0.95f, 0.05f};
  const SamplingChain many{7, 1.0f, 1024, 0.999f, 0.0f};
  const SamplingChain plain{7, 0.8f, 0, 1.0f, 0.0f};
  const SamplingChain likely{7, 1.0f, 0, 0.95f, 0.01f};
  const SamplingChain more{7, 1.5f, 50000, 1.0f, 0.0f};
  for (const SamplingChain& chain : {usual, greedy, many, plain, likely, more}) {
    check_draws(chain, rough_logits(151936, 4, 3.0f), 2);
    check_draws(chain, rough_logits(4096, 5, 3.0f), 4);
    check_draws(chain, {0.5f}, 2);
    check_draws(chain, std::vector<float>(100, 1.0f), 4);
    check_draws(chain, std::vector<float>(100, forbidden), 4);
    check_draws(chain, {forbidden, -0.0f, 0.0f, 700.0f, -700.0f}, 4); // differences beyond e^-690
    check_draws(chain, {0.0f, std::numeric_limits<float>::infinity(), 1.0f}, 4);
  }
  check_draws({7, 1.0f, 4, 0.5f, 0.0f}, std::vector<float>(100, 1.0f), 20); // a share reached exactly
  check_draws({7, 1.0f, 0, 0.5f, 0.0f}, std::vector<float>(4000, 1.0f), 20);
  check_draws({7, -1.0f, 0, 1.0f, 0.0f}, rough_logits(500, 6, 1.0f), 2); // no top-k is needed
  constexpr int most = cuda::most_drawn_vocabulary;
  CHECK(cuda::can_sample(plain, most));
  CHECK(!cuda::can_sample(plain, most + 1));
  CHECK(cuda::can_sample(usual, most + 1));
}

TEST_CASE("device: draws from a whole vocabulary don't depend on the order of threads") {
  const auto logits = rough_logits(2500, 9, 2.0f);
  test::in_every_order([&] {
    check_draws({7, 1.0f, 0, 1.0f, 0.0f}, logits, 2);
    check_draws({7, 1.0f, 1200, 0.9f, 0.01f}, logits, 2);
  });
}

TEST_CASE("device: a draw from logits that are no numbers ends") {
  constexpr std::int32_t unwritten = -7;
  std::vector<float> logits = rough_logits(3000, 10, 2.0f);
  const auto draw = [&](const SamplingChain& chain) {
    OnDevice on;
    auto* token = on.copy(std::vector<std::int32_t>{unwritten});
    auto* scratch = on.array<std::byte>(cuda::sampler_bytes(3000));
    cuda::launch_sample(on.device(), chain, on.copy(logits), 3000, on.copy(std::vector<std::uint64_t>{5}), token,
                        scratch);
    return on.read(token, 1)[0];
  };
  for (const std::size_t step : {std::size_t{7}, std::size_t{1}}) {
    for (std::size_t i = 0; i < logits.size(); i += step) logits[i] = std::numeric_limits<float>::quiet_NaN();
    for (const int top_k : {0, 40, 2000})
      for (const float top_p : {1.0f, 0.9f}) CHECK(draw({7, 0.8f, top_k, top_p, 0.05f}) != unwritten);
  }
}

} // namespace kern
