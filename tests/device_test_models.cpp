// Whole models on the CUDA backend, its kernels executed on the host: the CPU's bits, however the layers are shared.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/generate.h"
#include "engine/placement.h"
#include "engine/session.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/warpgroup_check.h"
#include "tests/device_models.h"
#include "tests/fixtures.h"
#include "tests/kernel_helpers.h"
#include "tests/random_model.h"

namespace kern {

namespace {

std::vector<float> trace_on_cpu(const Gguf& gguf, const SessionOptions& options, std::span<const std::int32_t> prompt) {
  CpuBackend cpu(1);
  const Model model(gguf, cpu);
  return test::trace(model, options, prompt);
}

} // namespace

TEST_CASE("device: models give the CPU's bits: architecture x format x cache x step size") {
  for (const char* name : {"llama-rope3", "llama-tied", "qwen2", "qwen3", "wide-Q4_K_M", "wide-Q8_0", "wide-Q6_K"}) {
    CAPTURE(name);
    const Gguf gguf = test::open_fixture(name);
    const auto prompt = test::some_tokens(70); // more than a page
    const auto expected = trace_on_cpu(gguf, test::device_session(), prompt);
    for (const int step_tokens : {9, 64, 512}) {
      // All of them with one model; a kernel doesn't know which one it works for.
      if (step_tokens != 512 && std::string(name) != "wide-Q4_K_M") continue;
      CAPTURE(step_tokens);
      const auto gpu = test::open_gpu_backend();
      const Model model(gguf, *gpu);
      CHECK(same_bits(test::trace(model, test::device_session(Format::f16, step_tokens), prompt), expected));
    }
  }
  const Gguf gguf = test::open_fixture("wide-Q4_K_M");
  const auto prompt = test::some_tokens(20);
  for (const Format cache : {Format::f32, Format::q8_0, Format::q4_0}) {
    const auto gpu = test::open_gpu_backend();
    const Model model(gguf, *gpu);
    CHECK(same_bits(test::trace(model, test::device_session(cache), prompt),
                    trace_on_cpu(gguf, test::device_session(cache), prompt)));
  }
}

TEST_CASE("device: every format runs, its embedding and output included") {
  for_each_format([&]<class Traits>(Traits) {
    CAPTURE(Traits::name);
    test::RandomModel random{test::find_shape("tiny"), Traits::id, Traits::id};
    const auto bytes = test::random_model_bytes(random);
    const Gguf gguf = Gguf::parse(bytes, "random");
    const auto prompt = test::some_tokens(9);
    const auto gpu = test::open_gpu_backend(true);
    const Model model(gguf, *gpu);
    CHECK(same_bits(test::trace(model, test::device_session(), prompt),
                    trace_on_cpu(gguf, test::device_session(), prompt)));
  });
}

namespace {

/// Prompts with 16-bit weights: near the CPU's logits, and the same ones in steps of another size.
void check_float_prompts(Format format, bool warpgroups) {
  CAPTURE(warpgroups);
  test::RandomModel random{test::find_shape("tiny"), format, format};
  const auto bytes = test::random_model_bytes(random);
  const Gguf gguf = Gguf::parse(bytes, "random");
  const auto prompt = test::some_tokens(11);
  const auto expected = trace_on_cpu(gguf, test::device_session(), prompt);
  const auto gpu = test::open_gpu_backend();
  if (warpgroups) cuda::check_warpgroup_products(gpu->device());
  const Model model(gguf, *gpu);
  const auto whole = test::trace(model, test::device_session(), prompt);
  CHECK(same_bits(test::trace(model, test::device_session(Format::f16, 6), prompt), whole));
  // Every product of a layer, seven and the output's, rounds its activations by so much at most.
  const double rounding = format == Format::f16 ? 0x1p-11 : 0x1p-8;
  const double bound = rounding * static_cast<double>(7 * model.spec().layers.size() + 1);
  double largest = 0.0, apart = 0.0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(model.spec().vocab_size); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    apart = std::max(apart, std::abs(static_cast<double>(expected[i]) - static_cast<double>(whole[i])));
  }
  CHECK(apart > 0.0);
  CHECK(apart <= bound * largest);
}

} // namespace

TEST_CASE("device: prompts with 16-bit weights come near the CPU's logits, and a token's don't depend on the step") {
  for (const Format format : {Format::f16, Format::bf16})
    for (const bool warpgroups : {false, true}) check_float_prompts(format, warpgroups);
}

TEST_CASE("device: layers shared with the CPU in every way give the same bits") {
  const Gguf gguf = test::open_fixture("wide-Q4_K_M");
  const auto prompt = test::some_tokens(20);
  const auto expected = trace_on_cpu(gguf, test::device_session(), prompt);
  CpuBackend cpu(1);
  const auto gpu = test::open_gpu_backend();
  const ModelSpec spec = Model(gguf, cpu).spec();
  for (int layers = 0; layers <= static_cast<int>(spec.layers.size()) + 1; ++layers)
    for (const bool cache_on_host : {false, true}) {
      CAPTURE(layers);
      CAPTURE(cache_on_host);
      const PlacedModel placed = place_layers(spec, cpu, *gpu, layers, cache_on_host);
      const Model model(gguf, placed.backends, placed.placement);
      CHECK(same_bits(test::trace(model, test::device_session(), prompt), expected));
    }
}

TEST_CASE("device: tokens are drawn where the logits are, as the host's sampler draws them") {
  const Gguf gguf = test::open_fixture("wide-Q8_0");
  const auto prompt = test::some_tokens(5);
  CpuBackend cpu(1);
  const auto gpu = test::open_gpu_backend();
  const Model on_cpu(gguf, cpu), on_gpu(gguf, *gpu);
  GenerateOptions options;
  options.max_tokens = 6;
  GenerateCallbacks callbacks;
  callbacks.to_text = [](std::int32_t) { return std::string(); };
  callbacks.finish_text = [] { return std::string(); };
  callbacks.emit = [](std::string_view) { return true; };
  callbacks.interrupted = [] { return false; };
  SamplerOptions usual, greedy, warm, biased;
  usual.seed = 7;
  greedy.temperature = 0.0f;
  warm.temperature = 1.5f;
  warm.top_k = 0; // the whole vocabulary
  biased.logit_bias = {{3, 4.0f}};
  int drawn_there = 0;
  for (const SamplerOptions& sampling : {usual, greedy, warm, biased}) {
    Session first(on_cpu, test::device_session()), second(on_gpu, test::device_session());
    Sampler a(sampling, first.logits().size()), b(sampling, first.logits().size());
    const auto expected = generate(first, a, prompt, options, callbacks);
    const auto result = generate(second, b, prompt, options, callbacks);
    CHECK(result.tokens == expected.tokens);
    CHECK(result.tokens.size() == 6);
    if (b.chain() && second.sample(*b.chain(), second.tokens().size())) ++drawn_there;
  }
  CHECK(drawn_there == 3); // all but the biased
}

} // namespace kern
