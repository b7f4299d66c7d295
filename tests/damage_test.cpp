// Damaged copies of small files of every format: each is refused with one line and a designed exit code, or runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "engine/session.h"
#include "model/error.h"
#include "tests/kernel_helpers.h"
#include "tests/random_blocks.h"
#include "tests/random_model.h"
#include "tokenizer/tokenizer.h"

namespace kern {

namespace {

using Bytes = std::vector<std::byte>;

enum class Outcome { refused, ran };

/// Everything `kern run` does with a file, for a prompt of three tokens.
Outcome load_and_run(const Bytes& file, CpuBackend& backend) {
  try {
    const Gguf gguf = Gguf::parse(file, "damaged.gguf");
    const auto tokenizer = Tokenizer::create(gguf.metadata());
    const Model model(gguf, backend);
    SessionOptions options;
    options.context = 8;
    Session session(model, options);
    const std::int32_t last = model.spec().vocab_size - 1;
    session.prefill(std::vector<std::int32_t>{0, last / 2, last});
    session.decode(0);
    return Outcome::ran;
  } catch (const Error& error) {
    const std::string line = error.what();
    CHECK(error.code() == ExitCode::model);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(line.starts_with("damaged.gguf: "));
    CHECK(line.size() > std::string("damaged.gguf: ").size() + 10);
    return Outcome::refused;
  }
}

/// One way of damaging: mostly in the header, where every byte means something.
Bytes damage(const Bytes& original, std::size_t header, test::RandomBits& random) {
  Bytes bytes = original;
  const std::size_t place = random() % (random() % 8 == 0 ? bytes.size() : header);
  const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(place);
  switch (random() % 4) {
  case 0: bytes.resize(place); break;
  case 1: *at = static_cast<std::byte>(random()); break;
  case 2: *at ^= static_cast<std::byte>(1u << (random() % 8)); break;
  default: bytes.insert(at, 1 + random() % 9, static_cast<std::byte>(random())); break;
  }
  return bytes;
}

} // namespace

TEST_CASE("files of every format, cut, flipped and stretched, are refused in one line or run") {
  CpuBackend backend(1);
  int refused = 0;
  int ran = 0;
  for_each_format([&]<class Traits>(Traits) {
    CAPTURE(Traits::name);
    test::RandomModel random_model;
    random_model.shape = test::find_shape("tiny");
    random_model.shape.layers = 1;
    random_model.shape.hidden_dim = 256;
    random_model.format = random_model.output_format = Traits::id;
    const Bytes original = test::random_model_bytes(random_model);
    CHECK(load_and_run(original, backend) == Outcome::ran);
    const std::size_t header = Gguf::parse(original, "whole").tensors()[0].offset;
    test::RandomBits random(static_cast<std::uint64_t>(Traits::id));
    for (int i = 0; i < 150; ++i)
      (load_and_run(damage(original, header, random), backend) == Outcome::ran ? ran : refused) += 1;
  });
  CHECK(refused > 1000);
  CHECK(ran > 100); // flips in texts of the vocabulary and in weights
}

} // namespace kern
