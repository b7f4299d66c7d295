// The kinds that don't merge: SentencePiece's unigram model with its normalization, and RWKV's longest match.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <doctest/doctest.h>

#include "model/error.h"
#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/byte_trie.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/tokenizer.h"

namespace kern {
namespace {

using test::plain_text;
using test::TokenList;

const std::string word_mark = "\xE2\x96\x81"; // U+2581

std::string bytes_of_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

/// A description with what only unigram models have.
struct Description {
  TokenList words;
  std::string map; // bytes of precompiled_charsmap; empty: none
  bool merges_spaces = true;
  bool adds_space = true;
  std::uint64_t unknown = 0;

  std::unique_ptr<Tokenizer> create() const {
    test::MetadataBuilder builder;
    builder.text("tokenizer.ggml.model", "t5")
        .texts("tokenizer.ggml.tokens", words.texts)
        .floats("tokenizer.ggml.scores", words.scores)
        .ints("tokenizer.ggml.token_type", words.types)
        .flag("tokenizer.ggml.remove_extra_whitespaces", merges_spaces)
        .flag("tokenizer.ggml.add_space_prefix", adds_space)
        .number("tokenizer.ggml.unknown_token_id", unknown)
        .number("tokenizer.ggml.eos_token_id", 2);
    Metadata metadata = builder.metadata();
    const std::span<const std::byte> bytes = std::as_bytes(std::span(map.data(), map.size()));
    if (!map.empty())
      metadata.insert("tokenizer.ggml.precompiled_charsmap",
                      {MetadataType::array, MetadataArray{MetadataType::u8, map.size(), bytes}});
    return Tokenizer::create(metadata);
  }
};

/// <unk> 0, <s> 1, </s> 2, then a space and a few pieces.
Description small() {
  Description description;
  description.words.add("<unk>", 0, test::unknown).add("<s>", 0, test::control).add("</s>", 0, test::control);
  description.words.add(word_mark, -3).add("a", -4).add("b", -4).add("ab", -5).add(word_mark + "a", -6).add("ba", -9);
  return description;
}

std::string refusal(const Description& description, const std::string& text = "") {
  try {
    const auto tokenizer = description.create();
    tokenizer->encode(text, plain_text);
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::model);
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.what();
  }
  return {};
}

bool says(const std::string& message, const std::string& part) { return message.find(part) != std::string::npos; }

/// What tests/data/tokenizer/make_unigram.py wrote.
struct UnigramFixture {
  Description description;
  std::vector<std::pair<std::string, std::vector<Token>>> cases;
};

UnigramFixture read_fixture() {
  UnigramFixture fixture;
  const auto path = std::filesystem::path(__FILE__).parent_path() / "data/tokenizer/unigram.txt";
  std::ifstream in(path);
  REQUIRE_MESSAGE(in, path.string());
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string kind;
    std::string hex;
    fields >> kind;
    if (kind == "piece") {
      float score = 0;
      std::int32_t type = 0;
      fields >> score >> type >> hex;
      fixture.description.words.add(bytes_of_hex(hex), score, type);
    } else if (kind == "map") {
      fields >> hex;
      fixture.description.map = bytes_of_hex(hex);
    } else {
      fields >> hex;
      std::vector<Token> ids;
      for (Token id = 0; fields >> id;) ids.push_back(id);
      fixture.cases.emplace_back(bytes_of_hex(hex), ids);
    }
  }
  return fixture;
}

TEST_CASE("a unigram model gives the ids of sentencepiece") {
  const UnigramFixture fixture = read_fixture();
  const auto tokenizer = fixture.description.create();
  CHECK(fixture.cases.size() > 60);
  for (const auto& entry : fixture.cases) {
    CAPTURE(entry.first);
    CHECK(tokenizer->encode(entry.first, plain_text) == entry.second);
  }
}

TEST_CASE("unigram: the best sum wins, the end of the text is added, decoding undoes the first space") {
  const auto tokenizer = small().create();
  CHECK(tokenizer->encode("ab", plain_text) == std::vector<Token>{3, 6}); // -8, against -10 with " a" and "b"
  CHECK(tokenizer->encode("a", plain_text) == std::vector<Token>{7});     // -6, against -7 apart
  CHECK(tokenizer->encode("aba", plain_text) == std::vector<Token>{3, 6, 4});
  CHECK(tokenizer->encode("", plain_text).empty());
  CHECK(tokenizer->encode("   ", plain_text).empty());
  CHECK(tokenizer->encode("  a   b ", plain_text) == std::vector<Token>{7, 3, 5});
  CHECK(tokenizer->encode("a", {.add_special = true, .parse_special = false}) == std::vector<Token>{7, 2});
  CHECK(tokenizer->encode("a</s>", {.add_special = true, .parse_special = true}) == std::vector<Token>{7, 2});
  CHECK(tokenizer->decode(std::vector<Token>{7, 3, 5}, false) == "a b");
  Description kept = small();
  kept.merges_spaces = kept.adds_space = false;
  CHECK(kept.create()->encode(" a  b ", plain_text) == std::vector<Token>{7, 3, 3, 5, 3});
}

TEST_CASE("unigram: what no piece spells is unknown, once a run, or bytes") {
  Description description = small();
  const auto tokenizer = description.create();
  CHECK(tokenizer->encode("axyb", plain_text) == std::vector<Token>{7, 0, 5});
  CHECK(tokenizer->encode("\xFF\xFE", plain_text) == std::vector<Token>{3, 0});
  for (unsigned byte = 0; byte < 256; ++byte) description.words.add(test::byte_spelling(byte), 0, test::byte_type);
  const auto with_bytes = description.create();
  CHECK(with_bytes->encode("ax\xC3\xA9", plain_text) == std::vector<Token>{7, 9 + 'x', 9 + 0xC3, 9 + 0xA9});
  CHECK(with_bytes->decode(with_bytes->encode("ax\xC3\xA9 \xF0\x9F\xA6\x99", plain_text), false) ==
        "ax\xC3\xA9 \xF0\x9F\xA6\x99");
  description = small();
  description.unknown = UINT32_MAX;
  CHECK(says(refusal(description, "x"), "0x78"));
}

TEST_CASE("unigram: words by themselves or all at once, long texts") {
  Description across = small();
  across.words.add("b" + word_mark + "b", -5); // a piece that reaches into the next word
  CHECK(across.create()->encode("ab b", plain_text) == std::vector<Token>{7, 9});
  for (const Description& description : {small(), across, read_fixture().description}) {
    const auto tokenizer = description.create();
    for (const std::string unit : {"a", " ", "ab ", "\xF0\x9F\xA6\x99", "\xFF"}) {
      std::string text;
      while (text.size() < 500'000) text += unit;
      CHECK_FALSE(tokenizer->encode(text + "a", plain_text).empty());
    }
  }
}

TEST_CASE("unigram: damaged replacements end in one line, whatever the damage") {
  const UnigramFixture fixture = read_fixture();
  std::string texts;
  for (const auto& entry : fixture.cases) texts += entry.first;
  Description description = fixture.description;
  description.map.pop_back();
  CHECK(says(refusal(description), "precompiled_charsmap"));
  description.map = "abc";
  CHECK(says(refusal(description), "precompiled_charsmap"));
  description.map = std::string("\xFF\xFF\xFF\xFF", 4) + fixture.description.map.substr(4);
  CHECK(says(refusal(description), "precompiled_charsmap"));
  description.map = std::string(9, '\0'); // no trie at all
  CHECK(refusal(description, texts).empty());
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    description.map = fixture.description.map;
    for (std::size_t i = 0; i <= random() % 8; ++i)
      description.map[4 + random() % (description.map.size() - 5)] = static_cast<char>(random());
    refused += !refusal(description, texts).empty();
  }
  CHECK(refused > 0);
  CHECK(refused < 2000);
}

TEST_CASE("unigram: descriptions that make no sense are refused") {
  Description description = small();
  description.words.add(std::string(1025, 'a'), -1);
  CHECK(says(refusal(description), "1025 bytes"));
  test::MetadataBuilder no_scores;
  no_scores.text("tokenizer.ggml.model", "t5").texts("tokenizer.ggml.tokens", {"a"});
  CHECK_THROWS_AS(Tokenizer::create(no_scores.metadata()), Error);
}

TEST_CASE("the byte trie finds every entry that a text begins with") {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts(random() % 30);
    for (std::string& text : texts)
      for (std::size_t size = random() % 6; text.size() < size;) text += static_cast<char>("ab\0\xFF"[random() % 4]);
    std::vector<ByteTrie::Entry> entries;
    for (std::size_t i = 0; i < texts.size(); ++i) entries.push_back({texts[i], static_cast<std::int32_t>(i)});
    const ByteTrie trie(entries);
    std::string text;
    for (int i = 0; i < 8; ++i) text += static_cast<char>("ab\0\xFF"[random() % 4]);
    std::vector<std::pair<std::size_t, std::int32_t>> found;
    trie.for_each_prefix(text, [&](std::size_t length, std::int32_t value) { found.emplace_back(length, value); });
    std::vector<std::pair<std::size_t, std::int32_t>> expected;
    for (std::size_t length = 1; length <= text.size(); ++length) {
      const auto last = std::find(texts.rbegin(), texts.rend(), text.substr(0, length));
      if (last != texts.rend()) expected.emplace_back(length, static_cast<std::int32_t>(texts.rend() - last - 1));
    }
    CHECK(found == expected);
  }
}

test::MetadataBuilder rwkv(const std::vector<std::string>& extra) {
  TokenList words;
  words.add("<s>", 0, test::control);
  for (unsigned byte = 0; byte < 256; ++byte) words.add("\\x" + test::byte_spelling(byte).substr(3, 2));
  for (const std::string& text : extra) words.add(text);
  words.add("[PAD1]", 0, test::unused);
  test::MetadataBuilder builder;
  builder.text("tokenizer.ggml.model", "rwkv")
      .texts("tokenizer.ggml.tokens", words.texts)
      .ints("tokenizer.ggml.token_type", words.types);
  return builder;
}

TEST_CASE("rwkv: the longest token at each place; spellings are Python's") {
  const auto builder = rwkv({"ab", "abcd", "\\n\\n", "\\xe4\\xBD", "it\\'s", "\\\\n", "\\t\\r"});
  const auto tokenizer = Tokenizer::create(builder.metadata());
  const auto byte = [](unsigned char c) { return static_cast<Token>(1 + c); };
  CHECK(tokenizer->encode("abc", plain_text) == std::vector<Token>{257, byte('c')});
  CHECK(tokenizer->encode("abcdab", plain_text) == std::vector<Token>{258, 257});
  CHECK(tokenizer->encode("\n\n\n", plain_text) == std::vector<Token>{259, byte('\n')});
  CHECK(tokenizer->encode("\xE4\xBD\xA0", plain_text) == std::vector<Token>{260, byte(0xA0)});
  CHECK(tokenizer->encode("it's \\n\t\r", plain_text) == std::vector<Token>{261, byte(' '), 262, 263});
  CHECK(tokenizer->encode("<s>", plain_text) == std::vector<Token>{byte('<'), byte('s'), byte('>')});
  CHECK(tokenizer->encode("<s>", {.add_special = false, .parse_special = true}) == std::vector<Token>{0});
  CHECK(tokenizer->encode("[PAD1]", plain_text).size() == 6);
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::string text = test::random_text(random, 20);
    const auto ids = tokenizer->encode(text, plain_text);
    CHECK(tokenizer->decode(ids, false) == text);
    Detokenizer detokenizer(*tokenizer, false, true);
    std::string streamed;
    for (const Token id : ids) streamed += detokenizer.push(id);
    CHECK(streamed + detokenizer.finish() == text);
  }
}

TEST_CASE("rwkv: spellings that are cut are refused, and bytes that no token has") {
  for (const char* bad : {"\\", "\\x", "\\x4", "\\xg0", "a\\x0"})
    CHECK_THROWS_WITH_AS(Tokenizer::create(rwkv({bad}).metadata()), doctest::Contains("token 257"), Error);
  test::MetadataBuilder builder;
  builder.text("tokenizer.ggml.model", "rwkv").texts("tokenizer.ggml.tokens", {"a"});
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("aa", plain_text).size() == 2);
  CHECK_THROWS_WITH_AS(tokenizer->encode("ab", plain_text), doctest::Contains("0x62"), Error);
}

} // namespace
} // namespace kern
