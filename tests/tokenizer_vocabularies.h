// Small vocabularies for tests, made in code.
#pragma once

#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/metadata_builder.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

namespace kern::test {

inline std::string byte_spelling(unsigned byte) {
  const char* digits = "0123456789ABCDEF";
  return std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">";
}

/// Token type numbers as in GGUF.
enum : std::int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte_type = 6 };

/// Text as it stands, special tokens' spellings too.
inline constexpr EncodeOptions plain_text{.add_special = false, .parse_special = false};

/// "6869" -> "hi", as fixtures hold texts.
inline std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

/// Tokens, scores and types growing together.
struct TokenList {
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> types;

  TokenList& add(std::string text, float score = 0, std::int32_t type = normal) {
    texts.push_back(std::move(text));
    scores.push_back(score);
    types.push_back(type);
    return *this;
  }
};

/// <unk> 0, <s> 1, </s> 2, the bytes 3..258, then the extra words.
inline TokenList sentencepiece_words() {
  TokenList words;
  words.add("<unk>", 0, unknown).add("<s>", 0, control).add("</s>", 0, control);
  for (unsigned byte = 0; byte < 256; ++byte) words.add(byte_spelling(byte), 0, byte_type);
  return words;
}

inline MetadataBuilder sentencepiece(const TokenList& words, std::string_view model = "llama") {
  MetadataBuilder builder;
  builder.text("tokenizer.ggml.model", model);
  builder.texts("tokenizer.ggml.tokens", words.texts);
  builder.floats("tokenizer.ggml.scores", words.scores);
  builder.ints("tokenizer.ggml.token_type", words.types);
  return builder;
}

/// The 256 bytes as GPT-2 spells them (id = byte).
inline TokenList byte_words() {
  const ByteAlphabet alphabet;
  TokenList words;
  for (unsigned byte = 0; byte < 256; ++byte) words.add(alphabet.to_spelling(std::string(1, static_cast<char>(byte))));
  return words;
}

inline MetadataBuilder byte_level(const TokenList& words, const std::vector<std::string>& merges,
                                  std::string_view pre) {
  MetadataBuilder builder;
  builder.text("tokenizer.ggml.model", "gpt2");
  builder.text("tokenizer.ggml.pre", pre);
  builder.texts("tokenizer.ggml.tokens", words.texts);
  builder.ints("tokenizer.ggml.token_type", words.types);
  builder.texts("tokenizer.ggml.merges", merges);
  return builder;
}

/// Bytes with a liking for what tokenizers stumble over.
inline std::string random_text(std::mt19937& random, std::size_t longest) {
  static const std::vector<std::string> favourites = {" ",
                                                      " ",
                                                      "  ",
                                                      "a",
                                                      "b",
                                                      "ab",
                                                      "aa",
                                                      "'s",
                                                      "1",
                                                      "\n",
                                                      "\xC3\xA9",
                                                      "\xE2\x96\x81",
                                                      "\xE2\x96",
                                                      "\xE2",
                                                      "\x96",
                                                      "\x81",
                                                      "\xF0\x9F\xA6\x99",
                                                      "\xF0\x9F",
                                                      "\xE4\xBD\xA0",
                                                      "<s>",
                                                      "</s>",
                                                      "<unk>",
                                                      "<0x41>",
                                                      "<|im_end|>",
                                                      "<tool>",
                                                      "\xFF"};
  std::string text;
  const std::size_t pieces = random() % (longest + 1);
  for (std::size_t i = 0; i < pieces; ++i)
    text += random() % 8 == 0 ? std::string(1, static_cast<char>(random())) : favourites[random() % favourites.size()];
  return text;
}

} // namespace kern::test
