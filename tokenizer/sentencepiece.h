// SentencePiece's BPE: pieces with scores, spaces written as U+2581, bytes where no piece fits.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/merge.h"
#include "tokenizer/space_mark.h"
#include "tokenizer/text_index.h"
#include "tokenizer/vocabulary_tokenizer.h"

namespace kern {

/// `tokenizer.ggml.model` = "llama". Algorithm: google/sentencepiece src/bpe_model.cc; where text is cut at special
/// tokens and a space put before it: ggml-org/llama.cpp src/llama-vocab.cpp, LLAMA_VOCAB_TYPE_SPM. Two things are
/// stricter here, so that decoding gives the text back: U+2581 in the text itself is spelled in byte tokens (where
/// there are any) and not confused with a space, and ordinary text never becomes a control or byte token however it is
/// spelled.
class SentencePieceTokenizer final : public VocabularyTokenizer {
public:
  explicit SentencePieceTokenizer(const Metadata& metadata);

private:
  void encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const override;
  void encode_word(std::string_view word, Merger& merger, std::vector<Token>& out) const;
  void encode_character(std::string_view character, std::vector<Token>& out) const;
  void index_pieces();

  TextIndex mergeable_;              // spelling -> id, of the pieces that merging may give
  std::vector<std::uint32_t> ranks_; // [vocab_size], by descending score; equal scores share one
  std::array<Token, 256> bytes_;     // -1: none
  std::size_t longest_ = 0;          // of the mergeable spellings, bytes
  WordJoints joints_;
  bool spells_space_mark_ = false; // U+2581 can be written in bytes
};

} // namespace kern
