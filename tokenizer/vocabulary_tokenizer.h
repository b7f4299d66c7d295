// What the kinds of tokenizer have in common: special tokens, BOS and EOS, pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/special_matcher.h"
#include "tokenizer/text_index.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace kern {

/// Cuts a text at its special tokens and leaves the rest to the derived class.
class VocabularyTokenizer : public Tokenizer {
public:
  VocabularyTokenizer(const VocabularyTokenizer&) = delete;
  VocabularyTokenizer& operator=(const VocabularyTokenizer&) = delete;

  using Tokenizer::encode;
  std::vector<Token> encode(std::span<const TextPart> parts, bool add_special) const final;
  std::string piece(Token token, bool show_special) const final;
  std::string piece_at_start(Token token, bool show_special) const final;
  bool restarts_text(Token token) const final;
  std::size_t vocab_size() const final { return vocabulary_.size(); }
  std::string_view raw_text(Token token) const final;
  TokenType type(Token token) const final;
  std::optional<Token> find(std::string_view raw_text) const final;
  const SpecialTokens& special() const final { return vocabulary_.special(); }

protected:
  /// `pieces` follows from the vocabulary, which the derived class knows how to read.
  VocabularyTokenizer(const Metadata& metadata, const SpecialDefaults& defaults, bool space_prefix);

  /// Appends the ids of a text without special tokens. `at_start`: it begins the text or follows a special token.
  virtual void encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const = 0;

  /// To be called once, with the bytes of every token.
  void set_pieces(const Metadata& metadata, std::vector<std::string> pieces);
  const std::string& piece_bytes(Token token) const { return pieces_[static_cast<std::size_t>(token)]; }

  const Vocabulary& vocabulary() const { return vocabulary_; }
  bool space_prefix() const { return space_prefix_; }
  /// The id that stands for text the vocabulary can't spell. Throws Error(model) where there is none.
  Token unknown_for(unsigned char byte) const;

private:
  /// The special tokens of the parts together, `text`: ascending, none over another.
  std::vector<SpecialMatcher::Match> find_special(std::string_view text, std::span<const TextPart> parts) const;
  void check(Token token) const;

  std::string source_; // the file, for messages
  Vocabulary vocabulary_;
  bool space_prefix_;
  std::vector<std::string> pieces_;
  TextIndex by_text_;
  SpecialMatcher matcher_;
};

} // namespace kern
