// BPE of characters against Hugging Face's tokenizers, and what files say about it.
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/tokenizer.h"

namespace kern {
namespace {

using test::from_hex;
using test::MetadataBuilder;
using test::plain_text;
using test::TokenList;

const std::string mark = "\xE2\x96\x81";

struct Case {
  std::string text;
  std::vector<Token> ids;
};

struct CharactersFixture {
  TokenList words;
  std::vector<std::string> merges;
  std::vector<Case> cases;
};

std::vector<CharactersFixture> read_fixtures() {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "data/tokenizer/character_bpe.txt";
  std::ifstream in(path);
  REQUIRE_MESSAGE(in, path.string());
  std::vector<CharactersFixture> fixtures;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string kind;
    std::string hex;
    fields >> kind;
    if (kind == "vocabulary") {
      fixtures.emplace_back();
    } else if (kind == "piece") {
      std::int32_t type = 0;
      fields >> type >> hex;
      fixtures.back().words.add(from_hex(hex), 0, type);
    } else if (kind == "merge") {
      fields >> hex;
      fixtures.back().merges.push_back(from_hex(hex));
    } else {
      fields >> hex;
      Case one{from_hex(hex), {}};
      for (Token id = 0; fields >> id;) one.ids.push_back(id);
      fixtures.back().cases.push_back(std::move(one));
    }
  }
  return fixtures;
}

MetadataBuilder describe_as(std::string_view model, std::string_view pre, const CharactersFixture& fixture) {
  MetadataBuilder builder;
  builder.text("tokenizer.ggml.model", model);
  if (!pre.empty()) builder.text("tokenizer.ggml.pre", pre);
  builder.texts("tokenizer.ggml.tokens", fixture.words.texts);
  builder.ints("tokenizer.ggml.token_type", fixture.words.types);
  builder.texts("tokenizer.ggml.merges", fixture.merges);
  builder.number("tokenizer.ggml.bos_token_id", 1).number("tokenizer.ggml.unknown_token_id", 0);
  return builder;
}

TEST_CASE("BPE of characters: ids of the original library") {
  const auto fixtures = read_fixtures();
  REQUIRE(fixtures.size() == 3);
  for (const CharactersFixture& fixture : fixtures) {
    const auto builder = describe_as("gemma4", "", fixture);
    const auto tokenizer = Tokenizer::create(builder.metadata());
    const bool has_bytes = tokenizer->find("<0x00>").has_value();
    CHECK(fixture.cases.size() > 60);
    for (const Case& one : fixture.cases) {
      CAPTURE(one.text);
      CHECK(tokenizer->encode(one.text, plain_text) == one.ids);
      if (has_bytes) CHECK(tokenizer->decode(one.ids, false) == one.text);
    }
  }
}

TEST_CASE("BPE of characters: any bytes come back, streamed or at once") {
  const auto fixtures = read_fixtures();
  for (std::size_t i = 0; i < 2; ++i) {
    const auto builder = describe_as("gpt2", "sarvam-moe", fixtures[i]);
    const auto tokenizer = Tokenizer::create(builder.metadata());
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
      const std::string text = test::random_text(random, 20);
      CAPTURE(text);
      const auto ids = tokenizer->encode(text, plain_text);
      CHECK(tokenizer->decode(ids, false) == text);
      Detokenizer detokenizer(*tokenizer, false, true);
      std::string streamed;
      for (const Token id : ids) streamed += detokenizer.push(id);
      CHECK(streamed + detokenizer.finish() == text);
    }
  }
}

TEST_CASE("BPE of characters: what the file says, and where it is known better") {
  const CharactersFixture fixture = read_fixtures().front();
  const auto adds_bos = [](const MetadataBuilder& builder) {
    return Tokenizer::create(builder.metadata())->special().add_bos;
  };
  CHECK(adds_bos(describe_as("gemma4", "", fixture)));
  CHECK(adds_bos(describe_as("gpt2", "gemma4", fixture)));
  CHECK_FALSE(adds_bos(describe_as("gpt2", "sarvam-moe", fixture)));
  auto says_no = describe_as("gemma4", "", fixture);
  says_no.flag("tokenizer.ggml.add_bos_token", false);
  CHECK(adds_bos(says_no)); // early files of Gemma 4 say so by mistake
  // A mark in the text is no space, and bytes that are no UTF-8 are spelled one by one.
  const auto builder = describe_as("gemma4", "", fixture);
  const auto tokenizer = Tokenizer::create(builder.metadata());
  const auto byte = [](unsigned char value) { return static_cast<Token>(3 + value); };
  CHECK(tokenizer->encode(mark + "\xFF", plain_text) ==
        std::vector<Token>{byte(0xE2), byte(0x96), byte(0x81), byte(0xFF)});
  // --pre names a rule of characters for a file that doesn't.
  const auto other = describe_as("gpt2", "no-such", fixture);
  CHECK(Tokenizer::create(other.metadata(), "gemma4")->encode(" the", plain_text) ==
        tokenizer->encode(" the", plain_text));
}

TEST_CASE("BPE of characters: long words in little more than linear time") {
  for (const CharactersFixture& fixture : read_fixtures()) {
    const auto builder = describe_as("gemma4", "", fixture);
    const auto tokenizer = Tokenizer::create(builder.metadata());
    for (const std::string unit : {"a", " ", "e ", "\n", "the"}) {
      std::string text;
      while (text.size() < 300'000) text += unit;
      CHECK(tokenizer->decode(tokenizer->encode(text, plain_text), false) == text);
    }
  }
}

} // namespace
} // namespace kern
