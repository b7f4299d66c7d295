// SentencePiece's unigram model: of all ways to spell a text in pieces, the one with the best sum of scores.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/byte_trie.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/space_mark.h"
#include "tokenizer/vocabulary_tokenizer.h"

namespace kern {

/// `tokenizer.ggml.model` = "t5". Algorithm: google/sentencepiece src/unigram_model.cc, EncodeOptimized, with sums in
/// double as in Hugging Face's tokenizers. The text is normalized first, so decoding gives back what the model saw:
/// with other spaces, other forms of characters, and nothing for what the vocabulary can't spell.
class UnigramTokenizer final : public VocabularyTokenizer {
public:
  explicit UnigramTokenizer(const Metadata& metadata);

private:
  /// The best way to spell a text up to some place.
  struct Best {
    double score = 0.0;
    std::uint32_t length = 0; // of the last piece, bytes; 0: no way
    Token token = -1;         // -1: a character that no piece spells
  };

  void encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const override;
  void encode_word(std::string_view word, std::vector<Best>& best, std::vector<Token>& out) const;
  void encode_unknown(std::string_view character, std::vector<Token>& out) const;
  void index_pieces(const Metadata& metadata);

  Normalizer normalizer_;
  ByteTrie trie_;                // of the ordinary pieces
  std::array<Token, 256> bytes_; // -1: none
  double unknown_score_ = 0.0;   // of a character that no piece spells
  WordJoints joints_;
};

} // namespace kern
