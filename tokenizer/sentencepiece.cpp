#include "tokenizer/sentencepiece.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "tokenizer/unicode.h"

namespace kern {

SentencePieceTokenizer::SentencePieceTokenizer(const Metadata& metadata)
    // bos, eos, unknown: what Llama's tokenizer.model has, and llama.cpp takes where a file doesn't say
    : VocabularyTokenizer(metadata, SpecialDefaults{1, 2, 0, true},
                          metadata.get_bool_or("tokenizer.ggml.add_space_prefix", true)) {
  bytes_.fill(-1);
  const Vocabulary& words = vocabulary();
  std::vector<std::string> pieces(words.size());
  for (Token token = 0; words.contains(token); ++token) {
    const std::string_view text = words.text(token);
    const auto byte = byte_of_spelling(text);
    const bool is_byte = words.has_types() ? words.type(token) == TokenType::byte : byte.has_value();
    std::string& piece = pieces[static_cast<std::size_t>(token)];
    if (is_byte && !byte)
      metadata.fail(
          "tokenizer.ggml.tokens",
          fmt::format("token {} is of type byte, found a text of {} bytes, expected \"<0x00>\" to \"<0xFF>\"; "
                      "convert the model again",
                      token, text.size()));
    if (is_byte) {
      bytes_[*byte] = token;
      piece = static_cast<char>(*byte);
    } else {
      const TokenType type = words.type(token);
      piece = type == TokenType::control || type == TokenType::unknown ? std::string(text) : unescape_spaces(text);
    }
  }
  set_pieces(metadata, std::move(pieces));
  index_pieces();
  spells_space_mark_ = std::all_of(space_mark.begin(), space_mark.end(),
                                   [&](char c) { return bytes_[static_cast<unsigned char>(c)] >= 0; });
}

void SentencePieceTokenizer::index_pieces() {
  const Vocabulary& words = vocabulary();
  std::vector<float> scores;
  for (Token token = 0; words.contains(token); ++token) scores.push_back(words.score(token));
  std::sort(scores.begin(), scores.end(), std::greater<>{});
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());

  mergeable_ = TextIndex(words.size());
  ranks_.assign(words.size(), Merge::none);
  for (Token token = 0; words.contains(token); ++token) {
    const std::string_view text = words.text(token);
    const TokenType type = words.type(token);
    const auto byte = byte_of_spelling(text);
    if (text.empty() || is_special(type) || type == TokenType::byte || (byte && bytes_[*byte] == token)) continue;
    mergeable_.insert(text, token);
    const auto rank = std::lower_bound(scores.begin(), scores.end(), words.score(token), std::greater<>{});
    ranks_[static_cast<std::size_t>(token)] = static_cast<std::uint32_t>(rank - scores.begin());
    longest_ = std::max(longest_, text.size());
    joints_.add(text);
  }
}

void SentencePieceTokenizer::encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const {
  Merger merger;
  for_each_marked_word(
      text, space_prefix() && at_start, joints_, spells_space_mark_,
      [&](std::string_view word) { encode_word(word, merger, out); },
      [&] {
        for (const char c : space_mark) out.push_back(bytes_[static_cast<unsigned char>(c)]);
      });
}

void SentencePieceTokenizer::encode_word(std::string_view word, Merger& merger, std::vector<Token>& out) const {
  merger.clear();
  for (std::size_t i = 0; i < word.size(); i += std::max<std::size_t>(1, utf8_character(word, i))) merger.add(-1, i);
  merger.run(word.size(), [&](const Merger::Symbol& left, const Merger::Symbol&, std::size_t end) {
    const std::size_t size = end - left.begin;
    const Token id = size <= longest_ ? mergeable_.find(word.substr(left.begin, size)) : -1;
    return id < 0 ? Merge{} : Merge{ranks_[static_cast<std::size_t>(id)], id};
  });
  merger.for_each(word.size(), [&](const Merger::Symbol& symbol, std::size_t end) {
    if (symbol.id >= 0) out.push_back(symbol.id);
    else encode_character(word.substr(symbol.begin, end - symbol.begin), out);
  });
}

void SentencePieceTokenizer::encode_character(std::string_view character, std::vector<Token>& out) const {
  const Token whole = mergeable_.find(character);
  if (whole >= 0) {
    out.push_back(whole);
    return;
  }
  const std::string_view spelled = character == space_mark ? " " : character;
  std::vector<Token> ids;
  for (const char c : spelled) {
    const auto byte = static_cast<unsigned char>(c);
    Token id = bytes_[byte];
    if (id < 0) id = mergeable_.find(std::string_view(&c, 1));
    if (id < 0) {
      out.push_back(unknown_for(byte)); // one for the whole character, as SentencePiece gives
      return;
    }
    ids.push_back(id);
  }
  out.insert(out.end(), ids.begin(), ids.end());
}

} // namespace kern
