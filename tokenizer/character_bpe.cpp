#include "tokenizer/character_bpe.h"

#include <algorithm>
#include <string>

#include "tokenizer/unicode.h"

namespace kern {

CharacterBpeTokenizer::CharacterBpeTokenizer(const Metadata& metadata, const PretokenizerRule& rule)
    // Early files of Gemma 4 say by mistake that they need no BOS.
    : VocabularyTokenizer(metadata, SpecialDefaults{{}, {}, {}, rule.add_bos, false, rule.add_bos}, false),
      merges_(count_merges(metadata)) {
  bytes_.fill(-1);
  index_pieces(metadata);
  for_each_merge(metadata, [this](auto left, auto right, auto rank) { add_merge(left, right, rank); });
  spells_space_mark_ = std::all_of(space_mark.begin(), space_mark.end(),
                                   [&](char c) { return bytes_[static_cast<unsigned char>(c)] >= 0; });
}

void CharacterBpeTokenizer::index_pieces(const Metadata& metadata) {
  const Vocabulary& words = vocabulary();
  std::vector<std::string> pieces(words.size());
  mergeable_ = TextIndex(words.size());
  for (Token token = 0; words.contains(token); ++token) {
    const std::string_view text = words.text(token);
    const TokenType type = words.type(token);
    std::string& piece = pieces[static_cast<std::size_t>(token)];
    piece = text;
    if (type == TokenType::control || type == TokenType::unknown) continue;
    // Some files give byte tokens the type of ordinary ones.
    if (const auto byte = byte_of_spelling(text); byte && type != TokenType::user_defined) {
      bytes_[*byte] = token;
      piece = static_cast<char>(*byte);
      continue;
    }
    piece = unescape_spaces(text);
    // Those that any text is searched for first don't come up again.
    if (!text.empty() && type != TokenType::user_defined) mergeable_.insert(text, token);
  }
  set_pieces(metadata, std::move(pieces));
}

void CharacterBpeTokenizer::add_merge(std::string_view left, std::string_view right, std::uint32_t rank) {
  const std::string joined = std::string(left).append(right);
  const Token left_token = mergeable_.find(left);
  const Token right_token = mergeable_.find(right);
  const Token token = mergeable_.find(joined);
  if (left_token < 0 || right_token < 0 || token < 0) return;
  merges_.insert(left_token, right_token, Merge{rank, token});
  joints_.add(joined);
}

void CharacterBpeTokenizer::encode_text(std::string_view text, bool, std::vector<Token>& out) const {
  Merger merger;
  std::vector<Token> ids; // apart from `out`, so that no unknown token joins one before the text
  for_each_marked_word(
      text, false, joints_, spells_space_mark_, [&](std::string_view word) { encode_word(word, merger, ids); },
      [&] { encode_unknown(space_mark, ids); });
  out.insert(out.end(), ids.begin(), ids.end());
}

void CharacterBpeTokenizer::encode_word(std::string_view word, Merger& merger, std::vector<Token>& out) const {
  merger.clear();
  for (std::size_t i = 0; i < word.size();) {
    const std::size_t size = std::max<std::size_t>(1, utf8_character(word, i));
    merger.add(mergeable_.find(word.substr(i, size)), i);
    i += size;
  }
  merger.run(word.size(), [&](const Merger::Symbol& left, const Merger::Symbol& right, std::size_t) {
    return left.id < 0 || right.id < 0 ? Merge{} : merges_.find(left.id, right.id);
  });
  merger.for_each(word.size(), [&](const Merger::Symbol& symbol, std::size_t end) {
    if (symbol.id >= 0) out.push_back(symbol.id);
    else if (const auto character = word.substr(symbol.begin, end - symbol.begin); character == space_mark)
      encode_unknown(" ", out);
    else encode_unknown(character, out);
  });
}

void CharacterBpeTokenizer::encode_unknown(std::string_view character, std::vector<Token>& out) const {
  const auto byte_token = [&](char c) { return bytes_[static_cast<unsigned char>(c)]; };
  if (std::all_of(character.begin(), character.end(), [&](char c) { return byte_token(c) >= 0; })) {
    for (const char c : character) out.push_back(byte_token(c));
    return;
  }
  const Token unknown = unknown_for(static_cast<unsigned char>(character.front()));
  if (out.empty() || out.back() != unknown) out.push_back(unknown); // one for a run of them
}

} // namespace kern
