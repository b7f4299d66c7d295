#include "tokenizer/bpe.h"

#include <algorithm>

namespace kern {

BpeTokenizer::BpeTokenizer(const Metadata& metadata, const PretokenizerRule& rule)
    : VocabularyTokenizer(metadata, SpecialDefaults{{}, {}, {}, rule.add_bos}, false), pretokenizer_(rule),
      whole_words_first_(rule.whole_words_first), merges_(count_merges(metadata)) {
  index_pieces(metadata);
  for_each_merge(metadata, [this](auto left, auto right, auto rank) { add_merge(left, right, rank); });
}

void BpeTokenizer::index_pieces(const Metadata& metadata) {
  const Vocabulary& words = vocabulary();
  std::vector<std::string> pieces(words.size());
  std::vector<bool> ordinary(words.size()); // what merging may give
  for (Token token = 0; words.contains(token); ++token) {
    const std::string_view text = words.text(token);
    const TokenType type = words.type(token);
    const auto i = static_cast<std::size_t>(token);
    pieces[i] = text;
    // Special tokens are spelled as they are. One that reads the same in both alphabets may also come out of merges;
    // control tokens never do.
    if (type == TokenType::control || type == TokenType::unknown) continue;
    const auto byte = byte_of_spelling(text);
    if (type == TokenType::byte && byte) {
      pieces[i] = static_cast<char>(*byte);
      ordinary[i] = true;
    } else if (const auto bytes = alphabet_.to_bytes(text); bytes && !bytes->empty()) {
      ordinary[i] = type != TokenType::user_defined || *bytes == text;
      if (type != TokenType::user_defined) pieces[i] = *bytes;
    }
  }
  set_pieces(metadata, std::move(pieces));
  symbols_ = TextIndex(words.size());
  // A token of type byte only fills the place of a missing ordinary one.
  for (const bool byte_tokens : {true, false})
    for (Token token = 0; words.contains(token); ++token) {
      if (!ordinary[static_cast<std::size_t>(token)] || (words.type(token) == TokenType::byte) != byte_tokens) continue;
      symbols_.insert(piece_bytes(token), token);
      longest_ = std::max(longest_, piece_bytes(token).size());
    }
  for (std::size_t byte = 0; byte < 256; ++byte) bytes_[byte] = intern(std::string(1, static_cast<char>(byte)));
}

std::int32_t BpeTokenizer::intern(const std::string& bytes) {
  std::int32_t symbol = symbols_.find(bytes);
  if (symbol >= 0) return symbol;
  symbol = static_cast<std::int32_t>(vocab_size() + spare_.size());
  spare_.push_back(bytes);
  symbols_.insert(spare_.back(), symbol);
  return symbol;
}

void BpeTokenizer::add_merge(std::string_view left_spelling, std::string_view right_spelling, std::uint32_t rank) {
  // One in another alphabet can't apply to any text.
  const auto left = alphabet_.to_bytes(left_spelling);
  const auto right = alphabet_.to_bytes(right_spelling);
  if (!left || !right || left->empty() || right->empty()) return;
  const std::int32_t left_symbol = intern(*left);
  const std::int32_t right_symbol = intern(*right);
  merges_.insert(left_symbol, right_symbol, Merge{rank, intern(*left + *right)});
}

void BpeTokenizer::encode_text(std::string_view text, bool, std::vector<Token>& out) const {
  Merger merger;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t valid_end = end_of_utf8_run(text, begin, true);
    const std::string_view valid = text.substr(begin, valid_end - begin);
    std::size_t from = 0;
    for (const std::size_t to : pretokenizer_.split(valid)) {
      encode_word(valid.substr(from, to - from), merger, out);
      from = to;
    }
    begin = end_of_utf8_run(text, valid_end, false);
    encode_word(text.substr(valid_end, begin - valid_end), merger, out);
  }
}

void BpeTokenizer::encode_word(std::string_view word, Merger& merger, std::vector<Token>& out) const {
  const auto tokens = static_cast<std::int32_t>(vocab_size());
  if (whole_words_first_ && !word.empty() && word.size() <= longest_) {
    const std::int32_t whole = symbols_.find(word);
    if (whole >= 0 && whole < tokens) {
      out.push_back(whole);
      return;
    }
  }
  merger.clear();
  for (std::size_t i = 0; i < word.size(); ++i) merger.add(bytes_[static_cast<unsigned char>(word[i])], i);
  merger.run(word.size(), [&](const Merger::Symbol& left, const Merger::Symbol& right, std::size_t) {
    return merges_.find(left.id, right.id);
  });
  merger.for_each(word.size(), [&](const Merger::Symbol& symbol, std::size_t end) {
    if (symbol.id < tokens) {
      out.push_back(symbol.id);
      return;
    }
    // Merges led to a word that no token spells: it falls back to its bytes.
    for (const char c : word.substr(symbol.begin, end - symbol.begin)) {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back(bytes_[byte] < tokens ? bytes_[byte] : unknown_for(byte));
    }
  });
}

} // namespace kern
