// Weights that are no numbers, and numbers that become none.
#include <cstring>

#include <doctest/doctest.h>

#include "model/error.h"
#include "model/finite.h"
#include "tests/cli_fixture.h"
#include "tests/damage.h"

namespace kern::test {
namespace {

constexpr std::uint16_t half_inf = 0x7C00;
constexpr std::uint16_t half_nan = 0x7E00;
constexpr std::uint32_t float_nan = 0x7FC00000;
constexpr std::uint32_t float_inf = 0x7F800000;

using Bytes = std::vector<std::byte>;

/// Puts `value` at a byte of a tensor's data.
template <class Value> Bytes patched(Bytes file, const std::string& tensor, std::size_t at, Value value) {
  const Gguf gguf = Gguf::parse(file, "whole");
  std::memcpy(file.data() + gguf.find(tensor)->offset + at, &value, sizeof(value));
  return file;
}

std::string text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// kern with this file and a prompt of one token, id 120.
ProcessResult run_file(const Bytes& file) {
  const Models models;
  return answer(models.add_bytes(text_of(file), "model.gguf"), {"--raw", "-n", "2", "x"});
}

void check_refused(const ProcessResult& result, const Words& named) {
  CHECK(result.code == 3);
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, "model.gguf"));
  CAPTURE(result.err);
  for (const std::string& part : named) CHECK(contains(result.err, part));
}

TEST_CASE("a vector that isn't finite is refused at once, by name") {
  const Bytes whole = small_model(Format::q4_k);
  CHECK(run_file(whole).code == 0);
  for (const char* name : {"blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"}) {
    const auto result = run_file(patched(whole, name, 4 * 7, float_nan));
    CHECK(result.out.empty());
    check_refused(result, {"'" + std::string(name) + "' holds nan at row 0, column 7"});
    CHECK_FALSE(contains(result.err, "logit"));
  }
  check_refused(run_file(patched(whole, "output_norm.weight", 0, float_inf)), {"holds inf at row 0, column 0"});
}

TEST_CASE("a matrix that isn't finite is named with the step that found it") {
  // The scale of the block of row 2, column 0.
  const Bytes scale = patched(small_model(Format::q4_k), "blk.0.ffn_down.weight", 2 * sizeof(Q4_K::Block), half_inf);
  check_refused(run_file(scale),
                {"after token 120 at position 0", "'blk.0.ffn_down.weight' holds ", " at row 2, column 0"});
  const Bytes half = patched(small_model(Format::f16), "blk.0.attn_v.weight", 2 * (3 * 256 + 5), half_nan);
  check_refused(run_file(half),
                {"after token 120 at position 0", "'blk.0.attn_v.weight' holds nan at row 3, column 5"});
}

TEST_CASE("a number found only while answering leaves what came") {
  const Models models;
  ChainModel chain = answer_model({"one ", "two ", "three "});
  Bytes file = chain_model_bytes(chain);
  // The second piece's embedding: the step after it fails.
  file = patched(file, "token_embd.weight", static_cast<std::size_t>(4 * chain.dim), float_nan);
  const auto result = answer(models.add_bytes(text_of(file), "model.gguf"), {"hi"});
  CHECK(result.out == "one two ");
  check_refused(result, {"after token 1 at position 3", "'token_embd.weight' holds nan at row 1, column 0"});
}

TEST_CASE("finite weights that overflow are told from damaged ones") {
  Bytes file = small_model(Format::f32);
  for (std::size_t column = 0; column < 256; ++column)
    file = patched(file, "output.weight", 4 * column, column % 2 == 0 ? 3e38f : -3e38f);
  check_refused(run_file(file),
                {"after token 120 at position 0", "the logit of token 0 is ", "all weights are finite"});
}

TEST_CASE("weights of every format are looked through") {
  for_each_format([]<class Traits>(Traits) {
    CAPTURE(Traits::name);
    const Bytes whole = small_model(Traits::id);
    CHECK_FALSE(find_non_finite(Gguf::parse(whole, "whole")).has_value());
    // Last in the file.
    const Bytes wrong = patched(whole, "output_norm.weight", 4 * 255, float_inf);
    const auto found = find_non_finite(Gguf::parse(wrong, "wrong"));
    REQUIRE(found.has_value());
    CHECK(*found == "tensor 'output_norm.weight' holds inf at row 0, column 255");
  });
}

} // namespace
} // namespace kern::test
