// BPE of characters: ranked merges across a whole text, spaces written as U+2581, bytes where no token fits.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "tokenizer/merge_table.h"
#include "tokenizer/pretokenizers.h"
#include "tokenizer/space_mark.h"
#include "tokenizer/text_index.h"
#include "tokenizer/vocabulary_tokenizer.h"

namespace kern {

/// `tokenizer.ggml.model` = "gemma4", and "gpt2" where `tokenizer.ggml.pre` names a rule of characters. Algorithm:
/// huggingface/tokenizers src/models/bpe (byte_fallback, fuse_unk), with the normalizer that writes U+2581 for spaces
/// and nothing that splits. As with SentencePiece here, U+2581 in the text itself is spelled in byte tokens (where
/// there are any), and ordinary text never becomes a control or byte token, so that decoding gives the text back.
class CharacterBpeTokenizer final : public VocabularyTokenizer {
public:
  CharacterBpeTokenizer(const Metadata& metadata, const PretokenizerRule& rule);

private:
  void encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const override;
  void encode_word(std::string_view word, Merger& merger, std::vector<Token>& out) const;
  void encode_unknown(std::string_view character, std::vector<Token>& out) const;
  void index_pieces(const Metadata& metadata);
  void add_merge(std::string_view left, std::string_view right, std::uint32_t rank);

  TextIndex mergeable_; // spelling -> id, of the tokens that merging may give
  MergeTable merges_;
  std::array<Token, 256> bytes_; // -1: none
  WordJoints joints_;
  bool spells_space_mark_ = false;
};

} // namespace kern
