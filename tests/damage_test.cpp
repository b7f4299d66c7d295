// Damaged copies of small files of every format: each is refused with one line and a designed exit code, or runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "engine/session.h"
#include "model/error.h"
#include "tests/cli_fixture.h"
#include "tests/damage.h"
#include "tests/kernel_helpers.h"
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

} // namespace

TEST_CASE("files of every format, cut, flipped and stretched, are refused in one line or run") {
  CpuBackend backend(1);
  int refused = 0;
  int ran = 0;
  for_each_format([&]<class Traits>(Traits) {
    CAPTURE(Traits::name);
    const Bytes original = test::small_model(Traits::id);
    CHECK(load_and_run(original, backend) == Outcome::ran);
    const std::size_t header = Gguf::parse(original, "whole").tensors()[0].offset;
    test::RandomBits random(static_cast<std::uint64_t>(Traits::id));
    for (int i = 0; i < 150; ++i) {
      const Bytes file = test::damage(original, header, test::all_damages[random() % 3], random);
      (load_and_run(file, backend) == Outcome::ran ? ran : refused) += 1;
    }
  });
  CHECK(refused > 1000);
  CHECK(ran > 100); // flips in texts of the vocabulary and in weights
}

TEST_CASE("a kern that is given a damaged file ends as designed") {
  test::DamageRuns runs;
  runs.executable = KERN_EXECUTABLE;
  runs.limits_memory = !test::sanitized;
  const test::DamageTable table = test::run_damaged_files(runs);
  for (const std::string& fault : table.faults) FAIL_CHECK(fault);
  std::size_t refused = 0;
  for (const auto& row : table.codes) refused += row.contains(3) ? row.at(3) : 0;
  CHECK(refused > 30);
}

} // namespace kern
