// A profile changes nothing, and counts what the model has to do.
#include <doctest/doctest.h>

#include "engine/session.h"
#include "kernels/profiled_backend.h"
#include "model/step_work.h"
#include "tests/kernel_helpers.h"
#include "tests/random_model.h"

namespace kern {

namespace {

std::vector<float> prefill_and_decode(Session& session, std::span<const std::int32_t> prompt) {
  session.prefill(prompt);
  std::vector<float> all(session.logits().begin(), session.logits().end());
  session.decode(5);
  all.insert(all.end(), session.logits().begin(), session.logits().end());
  return all;
}

} // namespace

TEST_CASE("a profiled session gives the same bits, and its figures are those of step_work") {
  for (const Format format : {Format::q4_k, Format::f16}) {
    test::RandomModel random;
    random.shape = test::find_shape("tiny");
    random.format = random.output_format = format;
    const std::vector<std::byte> file = test::random_model_bytes(random);
    const Gguf gguf = Gguf::parse(file, "random");
    CpuBackend cpu(2);
    ProfiledBackend profiled(cpu);
    const Model plain_model(gguf, cpu), model(gguf, profiled);
    SessionOptions options;
    options.context = 128;
    options.step_tokens = 32;
    options.value_format = Format::f32;
    std::vector<std::int32_t> prompt;
    for (int i = 0; i < 70; ++i) prompt.push_back((i * 37 + 11) % model.spec().vocab_size);
    Session plain(plain_model, options), watched(model, options), unwatched(model, options);
    const std::vector<float> expected = prefill_and_decode(plain, prompt);
    CHECK(same_bits(prefill_and_decode(unwatched, prompt), expected)); // not recording yet
    profiled.start();
    CHECK(same_bits(prefill_and_decode(watched, prompt), expected));
    const std::vector<ProfiledOperation> operations = profiled.stop();
    CHECK(profiled.stop().empty());

    const CacheFormats cache{options.key_format, options.value_format};
    Work wanted = step_work(model, cache, 0, 32, 0);
    wanted += step_work(model, cache, 32, 32, 0);
    wanted += step_work(model, cache, 64, 6, 1);
    wanted += step_work(model, cache, 70, 1, 1);
    Work found;
    for (const ProfiledOperation& operation : operations) {
      CHECK(operation.calls > 0);
      found += operation.work;
    }
    CHECK(found.weight_bytes == wanted.weight_bytes);
    CHECK(found.cache_bytes == wanted.cache_bytes);
    CHECK(found.int8_multiply_adds == wanted.int8_multiply_adds);
    CHECK(found.fp32_multiply_adds == wanted.fp32_multiply_adds);
    CHECK((wanted.int8_multiply_adds > 0) == (format == Format::q4_k));
  }
}

TEST_CASE("attention reads each key once a sequence and meets it once a query") {
  AttentionShape shape;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.key_dim = 8;
  shape.value_dim = 6;
  KvView view;
  view.value_format = Format::f32;
  const std::vector<std::int32_t> positions = {10, 11, 12, 3}, sequences = {0, 0, 0, 1};
  const std::uint64_t position_bytes = 2 * (8 * 2 + 6 * 4), query_multiply_adds = 4 * (8 + 6);
  const Work all = attention_work(shape, view, positions, sequences);
  CHECK(all.cache_bytes == (13 + 4) * position_bytes);
  CHECK(all.fp32_multiply_adds == (11 + 12 + 13 + 4) * query_multiply_adds);
  shape.window = 5;
  const Work windowed = attention_work(shape, view, positions, sequences);
  CHECK(windowed.cache_bytes == (7 + 4) * position_bytes); // positions 6 to 12, and 0 to 3
  CHECK(windowed.fp32_multiply_adds == (5 + 5 + 5 + 4) * query_multiply_adds);
}

TEST_CASE("the limit that takes longest binds") {
  const Limits limits{100.0, 1000.0, 10.0};
  CHECK(least_time({}, limits).seconds == 0.0);
  const auto check = [&](const Work& work, std::string_view name, double seconds) {
    CHECK(least_time(work, limits).name == name);
    CHECK(least_time(work, limits).seconds == doctest::Approx(seconds));
  };
  check({150, 50, 1000, 5}, "read", 2.0);
  check({100, 0, 1000, 5}, "int8", 1.5);
  check({100, 0, 1000, 20}, "fp32", 3.0);
}

} // namespace kern
