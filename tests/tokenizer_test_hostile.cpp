// Descriptions that make no sense: each works, or ends in one line that names the key.
#include <limits>
#include <random>

#include <doctest/doctest.h>

#include "model/error.h"
#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/tokenizer.h"

namespace kern {
namespace {

using test::byte_level;
using test::byte_words;
using test::MetadataBuilder;
using test::plain_text;
using test::sentencepiece;
using test::sentencepiece_words;
using test::TokenList;

/// The message with which the description is refused; empty where it isn't.
std::string refusal(const MetadataBuilder& builder) {
  try {
    Tokenizer::create(builder.metadata());
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::model);
    const std::string message = error.what();
    CHECK(message.starts_with("test.gguf: key 'tokenizer.ggml."));
    CHECK(message.find('\n') == std::string::npos);
    return message;
  }
  return {};
}

bool mentions(const std::string& message, const std::string& part) { return message.find(part) != std::string::npos; }

TEST_CASE("missing and unknown parts are refused by name") {
  CHECK(mentions(refusal(MetadataBuilder()), "tokenizer.ggml.model"));
  CHECK(mentions(refusal(MetadataBuilder().text("tokenizer.ggml.model", "bert")), "bert"));
  for (const char* other : {"plamo2", "whitespace", "hybriddna", "none"})
    CHECK(mentions(refusal(MetadataBuilder().text("tokenizer.ggml.model", other)), other));
  CHECK(mentions(refusal(MetadataBuilder().number("tokenizer.ggml.model", 1)), "tokenizer.ggml.model"));
  CHECK(mentions(refusal(MetadataBuilder().text("tokenizer.ggml.model", "llama")), "tokenizer.ggml.tokens"));
  CHECK(mentions(refusal(sentencepiece(TokenList())), "no tokens"));
  const std::string message = refusal(byte_level(byte_words(), {}, "no-such-pattern"));
  CHECK(mentions(message, "no-such-pattern"));
  CHECK(mentions(message, "deepseek-coder"));
  CHECK(mentions(message, "qwen2"));
  MetadataBuilder no_merges;
  no_merges.text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.tokens", {"a"});
  CHECK(mentions(refusal(no_merges), "tokenizer.ggml.merges"));
  CHECK(mentions(refusal(byte_level(byte_words(), {"ab"}, "gpt-2")), "tokenizer.ggml.merges"));
  CHECK(mentions(refusal(byte_level(byte_words(), {""}, "gpt-2")), "tokenizer.ggml.merges"));
}

TEST_CASE("another pattern than the file's: by a known name, for models that split by patterns") {
  const auto strange = byte_level(byte_words(), {"1 2"}, "no-such-pattern");
  CHECK(mentions(refusal(strange), "--pre NAME"));
  const auto whole = Tokenizer::create(strange.metadata(), "gpt-2");
  CHECK(whole->encode("12", plain_text).size() == 2); // "12" is no token, so the merge falls apart
  TokenList words = byte_words();
  words.add("12").add("<s>", 0, test::control);
  auto digits = byte_level(words, {"1 2"}, "qwen2");
  digits.number("tokenizer.ggml.bos_token_id", 257);
  CHECK(Tokenizer::create(digits.metadata())->encode("12", plain_text).size() == 2);
  CHECK(Tokenizer::create(digits.metadata(), "gpt-4o")->encode("12", plain_text).size() == 1);
  CHECK_FALSE(Tokenizer::create(digits.metadata())->special().add_bos);
  CHECK(Tokenizer::create(digits.metadata(), "tekken")->special().add_bos);
  const auto usage = [](const MetadataBuilder& builder, std::string_view name) {
    try {
      Tokenizer::create(builder.metadata(), name);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::usage);
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(mentions(usage(digits, "gpt-5"), "\"gpt-5\""));
  CHECK(mentions(usage(digits, "gpt-5"), "deepseek-v3"));
  CHECK(mentions(usage(sentencepiece(sentencepiece_words()), "qwen2"), "leave --pre out"));
}

TEST_CASE("arrays of different lengths are refused") {
  TokenList words = sentencepiece_words();
  words.scores.pop_back();
  CHECK(mentions(refusal(sentencepiece(words)), "tokenizer.ggml.scores"));
  words = sentencepiece_words();
  words.types.push_back(1);
  CHECK(mentions(refusal(sentencepiece(words)), "tokenizer.ggml.token_type"));
  words = sentencepiece_words();
  words.scores[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(mentions(refusal(sentencepiece(words)), "tokenizer.ggml.scores"));
  words = sentencepiece_words();
  words.add("not a byte", 0, test::byte_type);
  CHECK(mentions(refusal(sentencepiece(words)), "<0x00>"));
}

TEST_CASE("ids out of range are refused, except where they are known to mean none") {
  for (const std::string name : {"bos", "eos", "eot", "eom", "unknown", "fim_pad"}) {
    auto builder = byte_level(byte_words(), {}, "gpt-2");
    builder.number("tokenizer.ggml." + name + "_token_id", 256);
    CHECK(mentions(refusal(builder), name));
    auto none = byte_level(byte_words(), {}, "gpt-2");
    none.number("tokenizer.ggml." + name + "_token_id", 0xFFFFFFFF);
    CHECK(refusal(none).empty());
    auto minus = byte_level(byte_words(), {}, "gpt-2");
    minus.signed_number("tokenizer.ggml." + name + "_token_id", -1);
    CHECK(refusal(minus).empty());
  }
  auto padding = byte_level(byte_words(), {}, "gpt-2");
  padding.number("tokenizer.ggml.padding_token_id", 1u << 30);
  CHECK(refusal(padding).empty());
  auto bos = byte_level(byte_words(), {}, "gpt-2");
  bos.flag("tokenizer.ggml.add_bos_token", true);
  CHECK(mentions(refusal(bos), "add_bos_token"));
  CHECK(refusal(byte_level(byte_words(), {}, "llama-bpe")).empty()); // adds BOS by default, and has none
}

TEST_CASE("duplicates, empty texts, texts that are no UTF-8, odd types") {
  TokenList words = sentencepiece_words();
  words.add("a").add("a").add("").add("").add("\xFF\xFE").add("\xE2\x96", -1).add("", 0, test::control);
  words.add("<x>", 0, 77).add("<x>", 0, -5).add("", 0, test::user_defined);
  const auto builder = sentencepiece(words);
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->find("a") == Token{260}); // the last one
  CHECK(tokenizer->type(266) == TokenType::undefined);
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    const std::string text = test::random_text(random, 20);
    CHECK(tokenizer->decode(tokenizer->encode(text, plain_text), false) == text);
  }

  TokenList bytes = byte_words();
  bytes.add("").add("a").add("\xFF").add("\xE2\x96\x81").add(" ").add("", 0, test::control);
  const auto level = byte_level(bytes, {"a a", "x y", "\xE2\x96\x81 a", "aa aa", "a  b"}, "gpt-2");
  const auto other = Tokenizer::create(level.metadata());
  CHECK(other->encode("aaaa", plain_text).size() == 4); // merges lead nowhere: no token is spelled "aaaa"
  for (int round = 0; round < 500; ++round) {
    const std::string text = test::random_text(random, 20);
    CHECK(other->decode(other->encode(text, plain_text), false) == text);
  }
}

TEST_CASE("a byte without a token is never dropped silently") {
  TokenList words = byte_words();
  words.texts.resize(200);
  words.types.resize(200);
  const auto builder = byte_level(words, {}, "gpt-2");
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK_THROWS_WITH_AS(
      tokenizer->encode("\xFF", plain_text),
      "test.gguf: key 'tokenizer.ggml.tokens': the text has byte 0xFF, for which the vocabulary has neither "
      "a token nor an unknown token; use another model or leave that byte out",
      Error);
  auto with_other = byte_level(words, {}, "gpt-2");
  with_other.number("tokenizer.ggml.unknown_token_id", 7);
  CHECK_THROWS_AS(Tokenizer::create(with_other.metadata())->encode("\xFF", plain_text), Error);
  words.types[7] = test::unknown;
  auto with_unknown = byte_level(words, {}, "gpt-2");
  with_unknown.number("tokenizer.ggml.unknown_token_id", 7);
  CHECK(Tokenizer::create(with_unknown.metadata())->encode("\xFF", plain_text) == std::vector<Token>{7});
}

TEST_CASE("ids from outside are checked") {
  const auto builder = byte_level(byte_words(), {}, "gpt-2");
  const auto tokenizer = Tokenizer::create(builder.metadata());
  for (const Token bad : {-1, 256, std::numeric_limits<Token>::max(), std::numeric_limits<Token>::min()}) {
    CHECK_THROWS_AS(tokenizer->decode(std::vector<Token>{bad}, true), Error);
    CHECK_THROWS_AS(tokenizer->piece(bad, true), Error);
    CHECK_THROWS_AS(tokenizer->raw_text(bad), Error);
    CHECK_THROWS_AS(tokenizer->type(bad), Error);
    CHECK_FALSE(tokenizer->ends_generation(bad));
  }
}

TEST_CASE("a vocabulary without types or scores still works") {
  TokenList words = sentencepiece_words();
  words.add("ab").add("\xE2\x96\x81");
  MetadataBuilder builder;
  builder.text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", words.texts);
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("ab\xC3", plain_text) == std::vector<Token>{260, 259, 3 + 0xC3});
  CHECK(tokenizer->decode(std::vector<Token>{260, 259, 3 + 0xC3}, false) == "ab\xC3");
}

} // namespace
} // namespace kern
