// Byte-level BPE: ranked merges of bytes within words.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/merge_table.h"
#include "tokenizer/pretokenizers.h"
#include "tokenizer/text_index.h"
#include "tokenizer/unicode.h"
#include "tokenizer/vocabulary_tokenizer.h"

namespace kern {

/// `tokenizer.ggml.model` = "gpt2". Algorithm: openai/gpt-2 src/encoder.py, on bytes instead of their spellings. Bytes
/// that are not UTF-8 are words of their own, a run of them each; the patterns see the text on either side as texts
/// that end there. (Other programs replace such bytes or refuse them.)
class BpeTokenizer final : public VocabularyTokenizer {
public:
  BpeTokenizer(const Metadata& metadata, const PretokenizerRule& rule);

private:
  void encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const override;
  void encode_word(std::string_view word, Merger& merger, std::vector<Token>& out) const;
  void index_pieces(const Metadata& metadata);
  void add_merge(std::string_view left, std::string_view right, std::uint32_t rank);
  std::int32_t intern(const std::string& bytes);

  ByteAlphabet alphabet_;
  Pretokenizer pretokenizer_;
  bool whole_words_first_;
  TextIndex symbols_;                     // bytes -> symbol: ids of tokens, then numbers of spare_
  std::deque<std::string> spare_;         // bytes that merges name but no token spells; from vocab_size() on
  std::array<std::int32_t, 256> bytes_{}; // symbols of the single bytes
  std::size_t longest_ = 0;               // of the tokens' pieces, bytes
  MergeTable merges_;
};

} // namespace kern
