// Both kinds of tokenizer over small vocabularies.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <doctest/doctest.h>

#include "model/error.h"
#include "tests/tokenizer_vocabularies.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/tokenizer.h"

namespace kern {
namespace {

using test::byte_level;
using test::byte_words;
using test::from_hex;
using test::plain_text;
using test::sentencepiece;
using test::sentencepiece_words;
using test::TokenList;

constexpr EncodeOptions parsed{.add_special = false, .parse_special = true};
constexpr EncodeOptions whole{.add_special = true, .parse_special = true};

const std::string space = "\xE2\x96\x81";

TokenList small_sentencepiece() {
  TokenList words = sentencepiece_words();                                             // 0..258
  words.add(space, -100).add("a", -100).add("b", -100);                                // 259 260 261
  words.add("ab", -1).add(space + "a", -2).add("ba", -2);                              // 262 263 264
  words.add(space + space, -3).add("aba", -4).add("abab", -4);                         // 265 266 267
  words.add("<tool>", 0, test::user_defined).add("<|im_end|>", 0, test::user_defined); // 268 269
  words.add(space + space + "b", 0, test::user_defined);                               // 270
  return words;
}

TokenList small_byte_level() {
  TokenList words = byte_words(); // 0..255
  words.add("ab")
      .add("\xC4\xA0"
           "a")
      .add("aba")
      .add("abab");                                                        // 256..259
  words.add("<s>", 0, test::control).add("<tool>", 0, test::user_defined); // 260 261
  words
      .add("\xC4\xA0"
           "b",
           0, test::user_defined)
      .add("\xC3\xA9", 0, test::user_defined); // 262 "Gb", 263 "e acute"
  return words;
}

const std::vector<std::string> small_merges = {"a b", "ab ab", "\xC4\xA0 a", "ab a", "\xC4\xA0 b", "b b"};

/// What a Detokenizer gives for the ids, put together; checks that no character was cut.
std::string stream(const Tokenizer& tokenizer, const std::vector<Token>& ids, bool show_special, bool at_start) {
  Detokenizer detokenizer(tokenizer, show_special, at_start);
  std::string text;
  std::vector<std::size_t> cuts;
  for (const Token id : ids) {
    text += detokenizer.push(id);
    cuts.push_back(text.size());
  }
  text += detokenizer.finish();
  bool inside = false;
  std::size_t next_cut = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = i + std::max<std::size_t>(1, utf8_character(text, i));
    while (next_cut < cuts.size() && cuts[next_cut] < end) inside |= cuts[next_cut++] > i;
    i = end;
  }
  CHECK_FALSE(inside);
  return text;
}

void check_round_trips(const Tokenizer& tokenizer, unsigned seed) {
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = test::random_text(random, 30);
    CAPTURE(text);
    for (const EncodeOptions options : {plain_text, parsed, EncodeOptions{}}) {
      const auto ids = tokenizer.encode(text, options);
      const bool show = options.parse_special;
      CHECK(tokenizer.decode(ids, show) == text);
      CHECK(stream(tokenizer, ids, show, true) == text);
      const auto is_control = [&](Token id) { return tokenizer.type(id) == TokenType::control; };
      if (!options.parse_special && !options.add_special) CHECK(std::none_of(ids.begin(), ids.end(), is_control));
    }
    std::vector<Token> any(random() % 30);
    for (Token& id : any) id = static_cast<Token>(random() % tokenizer.vocab_size());
    for (const bool show : {false, true})
      for (const bool start : {false, true})
        CHECK(stream(tokenizer, any, show, start) == tokenizer.decode(any, show, start));
  }
}

TEST_CASE("SentencePiece: best score first, ties from the left") {
  const auto builder = sentencepiece(small_sentencepiece());
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("ab", plain_text) == std::vector<Token>{259, 262}); // "ab" before "_a"
  CHECK(tokenizer->encode("a", plain_text) == std::vector<Token>{263});
  CHECK(tokenizer->encode("abab", plain_text) == std::vector<Token>{259, 267}); // both "ab", then "abab"
  CHECK(tokenizer->encode("aba", plain_text) == std::vector<Token>{259, 266});
  CHECK(tokenizer->encode("   b", plain_text) == std::vector<Token>{265, 270}); // "  b" is a token of its own
  CHECK(tokenizer->encode("", plain_text).empty());
  CHECK(tokenizer->encode("\xC3\xA9", plain_text) == std::vector<Token>{259, 3 + 0xC3, 3 + 0xA9});
  check_round_trips(*tokenizer, 1);
}

TEST_CASE("SentencePiece: the space before a text, after special tokens, and undone") {
  const auto builder = sentencepiece(small_sentencepiece());
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("b<tool>b", plain_text) == std::vector<Token>{259, 261, 268, 259, 261});
  CHECK(tokenizer->decode(std::vector<Token>{259, 261, 268, 259, 261}, false) == "b<tool>b");
  CHECK(tokenizer->encode("b", {}) == std::vector<Token>{1, 259, 261});
  CHECK(tokenizer->decode(std::vector<Token>{1, 259, 261}, false) == "b");
  CHECK(tokenizer->decode(std::vector<Token>{259, 261}, false, false) == " b");
  CHECK(tokenizer->decode(std::vector<Token>{265, 261}, false) == " b");
  CHECK(tokenizer->piece(263, false) == " a");
  CHECK(tokenizer->piece_at_start(263, false) == "a");

  auto without = sentencepiece(small_sentencepiece());
  without.flag("tokenizer.ggml.add_space_prefix", false);
  const auto bare = Tokenizer::create(without.metadata());
  CHECK(bare->encode("b", plain_text) == std::vector<Token>{261});
  CHECK(bare->decode(std::vector<Token>{259, 261}, false) == " b");
  check_round_trips(*bare, 2);
}

TEST_CASE("SentencePiece: pieces that look like something else") {
  TokenList words = small_sentencepiece();
  // "</" makes a merge towards the control token "</s>" possible: it must not happen in plain_text text.
  words.add("</", -1).add("</s", -1).add("<0x4", -1).add("s>", -1);
  const auto builder = sentencepiece(words);
  const auto tokenizer = Tokenizer::create(builder.metadata());
  for (const Token id : tokenizer->encode("</s><0x41>", plain_text)) CHECK(tokenizer->type(id) != TokenType::control);
  CHECK(tokenizer->decode(tokenizer->encode("</s><0x41>", plain_text), false) == "</s><0x41>");
  CHECK(tokenizer->encode("</s>", parsed) == std::vector<Token>{2});
  // The mark of a space in the text itself is no space.
  CHECK(tokenizer->decode(tokenizer->encode(space, plain_text), false) == space);
  check_round_trips(*tokenizer, 3);
}

TEST_CASE("SentencePiece: a vocabulary without bytes gives unknown, one a character") {
  TokenList words;
  words.add("<unk>", 0, test::unknown).add("<s>", 0, test::control).add("</s>", 0, test::control).add(space).add("a");
  const auto builder = sentencepiece(words);
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("a\xC3\xA9", plain_text) == std::vector<Token>{3, 4, 0});
  CHECK(tokenizer->decode(std::vector<Token>{3, 4, 0}, false) == "a");
  CHECK(tokenizer->decode(std::vector<Token>{3, 4, 0}, true) == "a<unk>");
}

TEST_CASE("SentencePiece: words are spelled by themselves but where pieces reach from one into the next") {
  TokenList words = small_sentencepiece();
  words.add("a" + space + "b", -0.5f).add("a" + space, -0.6f); // 271 272
  const auto tokenizer = Tokenizer::create(sentencepiece(words).metadata());
  CHECK(tokenizer->encode("a b", plain_text) == std::vector<Token>{259, 271});
  CHECK(tokenizer->encode("b a b b", plain_text) == std::vector<Token>{259, 261, 259, 271, 259, 261});
  check_round_trips(*tokenizer, 9);
  // Where a mark can't be told from a space, it joins spaces as one.
  TokenList bare;
  bare.add("<unk>", 0, test::unknown).add("<s>", 0, test::control).add("</s>", 0, test::control);
  bare.add(space, -5).add(space + space, -1);
  CHECK(Tokenizer::create(sentencepiece(bare).metadata())->encode(space + " ", plain_text) == std::vector<Token>{4, 3});
}

TEST_CASE("SentencePiece: ids of the original library") {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "data/tokenizer/sentencepiece.txt";
  std::ifstream in(path);
  REQUIRE_MESSAGE(in, path.string());
  TokenList words;
  std::unique_ptr<Tokenizer> tokenizer;
  int cases = 0;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string kind;
    fields >> kind;
    if (kind == "piece") {
      float score = 0;
      std::int32_t type = 0;
      std::string hex;
      fields >> score >> type >> hex;
      words.add(from_hex(hex), score, type);
      continue;
    }
    if (!tokenizer) {
      const auto builder = sentencepiece(words);
      tokenizer = Tokenizer::create(builder.metadata());
    }
    std::string hex;
    fields >> hex;
    std::vector<Token> expected;
    for (Token id = 0; fields >> id;) expected.push_back(id);
    CAPTURE(line);
    CHECK(tokenizer->encode(from_hex(hex), plain_text) == expected);
    CHECK(tokenizer->decode(expected, false) == from_hex(hex));
    ++cases;
  }
  CHECK(cases > 60);
}

TEST_CASE("byte-level BPE: merges by rank, bytes where no token spells the result") {
  const auto builder = byte_level(small_byte_level(), small_merges, "gpt-2");
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("ab", plain_text) == std::vector<Token>{256});
  CHECK(tokenizer->encode("ababab", plain_text) == std::vector<Token>{259, 256});
  CHECK(tokenizer->encode("aba", plain_text) == std::vector<Token>{258});
  CHECK(tokenizer->encode("a a", plain_text) == std::vector<Token>{'a', 257});
  CHECK(tokenizer->encode("bb", plain_text) == std::vector<Token>{'b', 'b'}); // merged, but no token is spelled so
  CHECK(tokenizer->encode("a b", plain_text) == std::vector<Token>{'a', ' ', 'b'}); // "Gb" is another text's token
  CHECK(tokenizer->encode("\xC3\xA9", plain_text) == std::vector<Token>{263});
  check_round_trips(*tokenizer, 4);
}

TEST_CASE("byte-level BPE: bytes that are not UTF-8 are words of their own") {
  TokenList words = byte_words();
  words.add("\xC3\xBF\xC3\xBE").add("a\xC3\xBF"); // FF FE; "a" FF
  const auto builder = byte_level(words, {"\xC3\xBF \xC3\xBE", "a \xC3\xBF"}, "llama-bpe");
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("a\xFF\xFE"
                          "b",
                          plain_text) == std::vector<Token>{'a', 256, 'b'});
  check_round_trips(*tokenizer, 5);
}

TEST_CASE("byte-level BPE: llama-bpe takes a whole word first, others only by merges") {
  TokenList words = byte_words();
  words.add("xyz").add("<s>", 0, test::control);
  for (const char* pre : {"llama-bpe", "gpt-2", "deepseek-coder", "starcoder", "default", "qwen2"}) {
    auto builder = byte_level(words, {}, pre);
    builder.number("tokenizer.ggml.bos_token_id", 257);
    const auto tokenizer = Tokenizer::create(builder.metadata());
    const bool llama = std::string_view(pre) == "llama-bpe";
    CHECK(tokenizer->encode("xyz", plain_text) ==
          (llama ? std::vector<Token>{256} : std::vector<Token>{'x', 'y', 'z'}));
    CHECK(tokenizer->special().add_bos == llama);
    check_round_trips(*tokenizer, 6);
  }
}

TEST_CASE("BOS and EOS come once") {
  TokenList words = byte_words();
  words.add("<s>", 0, test::control).add("</s>", 0, test::control);
  auto builder = byte_level(words, {}, "gpt-2");
  builder.number("tokenizer.ggml.bos_token_id", 256).number("tokenizer.ggml.eos_token_id", 257);
  builder.flag("tokenizer.ggml.add_bos_token", true).flag("tokenizer.ggml.add_eos_token", true);
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("a", whole) == std::vector<Token>{256, 'a', 257});
  CHECK(tokenizer->encode("<s>a</s>", whole) == std::vector<Token>{256, 'a', 257});
  CHECK(tokenizer->encode("<s><s>a", whole) ==
        std::vector<Token>{256, 256, 'a', 257}); // the text's own second one stays
  CHECK(tokenizer->encode("<s>a</s>", parsed) == std::vector<Token>{256, 'a', 257});
  CHECK(tokenizer->encode("", whole) == std::vector<Token>{256, 257});
  CHECK(tokenizer->encode("<s>", {}).size() == 5);
  CHECK(tokenizer->ends_generation(257));
  CHECK_FALSE(tokenizer->ends_generation(256));
  CHECK(tokenizer->find("<s>") == Token{256});
  CHECK_FALSE(tokenizer->find("<x>").has_value());
}

TEST_CASE("what ends an answer: named ids and known texts of special tokens") {
  TokenList words = byte_words();
  words.add("<|im_end|>", 0, test::user_defined).add("<|eot_id|>", 0, test::control).add("<|end|>"); // 256 257 258
  words.add("</s>", 0, test::control)
      .add("<x>", 0, test::control)
      .add("<|im_start|>", 0, test::user_defined); // 259..261
  auto builder = byte_level(words, {}, "qwen2");
  builder.number("tokenizer.ggml.eos_token_id", 260).number("tokenizer.ggml.eot_token_id", 5);
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->special().end_of_generation == std::vector<Token>{5, 256, 257, 260});
  // Tokens that divide turns are plain_text text unless asked for, whatever type the file gives them.
  CHECK(tokenizer->encode("<|im_end|>", plain_text).size() == 10);
  CHECK(tokenizer->encode("<|im_start|><|im_end|>", parsed) == std::vector<Token>{261, 256});

  TokenList harmony = byte_words();
  for (const char* text : {"<|end|>", "<|return|>", "<|call|>"}) harmony.add(text, 0, test::control);
  const auto other = byte_level(harmony, {}, "gpt-2");
  CHECK(Tokenizer::create(other.metadata())->special().end_of_generation == std::vector<Token>{257, 258});
}

TEST_CASE("parts: words reach across their borders, special tokens come only from those that allow it") {
  TokenList words = byte_words();
  words.add("<s>", 0, test::control).add("\xC4\x8A\xC4\x8A"); // 256, 257: two line feeds
  const auto builder = byte_level(words, {"\xC4\x8A \xC4\x8A"}, "qwen2");
  const auto tokenizer = Tokenizer::create(builder.metadata());
  const TextPart parts[] = {{"<s>x\n", true}, {"\n<s>", false}};
  CHECK(tokenizer->encode(parts, false) == std::vector<Token>{256, 'x', 257, '<', 's', '>'});
  const TextPart halves[] = {{"<s", true}, {">", true}};
  CHECK(tokenizer->encode(halves, false) == std::vector<Token>{'<', 's', '>'});
}

TEST_CASE("white space after Phi-3's special tokens belongs to them") {
  TokenList words = small_sentencepiece();
  words.add("<|end|>", 0, test::control); // 271
  auto builder = sentencepiece(words);
  builder.text("general.name", "Phi-3 mini");
  const auto tokenizer = Tokenizer::create(builder.metadata());
  CHECK(tokenizer->encode("<|end|>\n b", parsed) == std::vector<Token>{271, 259, 261});
  CHECK(tokenizer->encode("<s> b", parsed) == std::vector<Token>{1, 265, 261});
  check_round_trips(*Tokenizer::create(sentencepiece(words).metadata()), 7);
}

TEST_CASE("long words are merged in little more than linear time") {
  const auto spm = sentencepiece(small_sentencepiece());
  const auto bpe = byte_level(small_byte_level(), small_merges, "gpt-2");
  for (const auto* builder : {&spm, &bpe}) {
    const auto tokenizer = Tokenizer::create(builder->metadata());
    for (const std::string unit : {"a", " ", "ab", "\xFF", "\n"}) {
      std::string text;
      while (text.size() < 300'000) text += unit;
      const auto ids = tokenizer->encode(text, plain_text);
      CHECK(tokenizer->decode(ids, false) == text);
    }
  }
}

} // namespace
} // namespace kern
