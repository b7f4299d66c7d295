// Numbers that must be the same on every machine, held to constants.
#include <doctest/doctest.h>

#include <string>

#include "engine/session.h"
#include "tests/kernel_helpers.h"
#include "tests/random_model.h"

namespace kern {

namespace {

/// FNV-1a (Fowler, Noll, Vo) of 64 bits, a float's bits at a time.
std::uint64_t hash_bits(std::span<const float> values, std::uint64_t hash = 0xCBF29CE484222325u) {
  for (const float value : values) hash = (hash ^ float_bits(value)) * 0x100000001B3u;
  return hash;
}

/// Of all logits after a prompt that crosses a page, and after three more tokens.
std::uint64_t hash_of_logits(const Gguf& gguf, CpuBackend& backend, Format cache) {
  const Model model(gguf, backend);
  SessionOptions options;
  options.context = 128;
  options.step_tokens = 50;
  options.key_format = options.value_format = cache;
  Session session(model, options);
  std::vector<std::int32_t> prompt;
  for (int i = 0; i < 70; ++i) prompt.push_back((i * 37 + 11) % model.spec().vocab_size);
  session.prefill(prompt);
  std::uint64_t hash = hash_bits(session.logits());
  for (const int token : {5, 299, 0}) {
    session.decode(token);
    hash = hash_bits(session.logits(), hash);
  }
  return hash;
}

struct Expectation {
  Format format;
  Format cache;
  std::uint64_t hash;
};

// Made by this test on x86-64 with KERN_CPU=portable.
constexpr Expectation expectations[] = {
    {Format::f32, Format::f32, 0xE169B1114BD52B6Au},    {Format::f16, Format::f16, 0x95D87B462BDBB2B8u},
    {Format::bf16, Format::f16, 0x46848249A1C44AB1u},   {Format::q8_0, Format::q8_0, 0x697268919E43D3CCu},
    {Format::q4_0, Format::q4_0, 0x2B80FD968FBDF223u},  {Format::q5_1, Format::f16, 0x2529424715F9CDE1u},
    {Format::q2_k, Format::f16, 0x414135278C26A279u},   {Format::q4_k, Format::f16, 0xD8F0F71E5F84D9D6u},
    {Format::q5_k, Format::f16, 0x698053F654FE2FA5u},   {Format::q6_k, Format::f16, 0xA1D446414772C3DBu},
    {Format::iq4_nl, Format::f16, 0x476D81D7A4EDE36Bu}, {Format::iq4_xs, Format::f16, 0x56E8ADAA0D2577E8u},
    {Format::iq3_s, Format::f16, 0xBDA9B21D6FEA8729u},  {Format::mxfp4, Format::f16, 0xCC2C4483C18CC770u},
    {Format::nvfp4, Format::f16, 0x684B7E25D18AFA97u},
};

} // namespace

TEST_CASE("logits of small random models are these bits, on every machine") {
  for (const Expectation& expected : expectations) {
    CAPTURE(std::string(find_format(expected.format)->name));
    test::RandomModel random;
    random.shape = test::find_shape("tiny");
    random.format = random.output_format = expected.format;
    const std::vector<std::byte> file = test::random_model_bytes(random);
    const Gguf gguf = Gguf::parse(file, "random");
    for (const CpuKernels* kernels : kernel_tables()) {
      CAPTURE(std::string(kernels->name));
      CpuBackend backend(2, *kernels);
      CHECK(hash_of_logits(gguf, backend, expected.cache) == expected.hash);
    }
  }
}

} // namespace kern
