// Byte-level BPE: ranked merges of bytes within words.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/merge.h"
#include "tokenizer/pretokenizers.h"
#include "tokenizer/text_index.h"
#include "tokenizer/unicode.h"
#include "tokenizer/vocabulary_tokenizer.h"

namespace kern {

/// From two neighbouring symbols to what they merge into. Open addressing; filled once.
class MergeTable {
public:
  explicit MergeTable(std::size_t expected);
  /// A pair inserted again keeps its first merge.
  void insert(std::int32_t left, std::int32_t right, Merge merge);
  Merge find(std::int32_t left, std::int32_t right) const { return slots_[locate(key(left, right))].merge; }

private:
  struct Slot {
    std::uint64_t key = 0;
    Merge merge;
  };

  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
  }
  std::size_t locate(std::uint64_t key) const;

  std::vector<Slot> slots_;
};

/// `tokenizer.ggml.model` = "gpt2". Algorithm: openai/gpt-2 src/encoder.py, on bytes instead of their spellings. Bytes
/// that are not UTF-8 are words of their own, a run of them each; the patterns see the text on either side as texts
/// that end there. (Other programs replace such bytes or refuse them.)
class BpeTokenizer final : public VocabularyTokenizer {
public:
  /// With the pattern of a known name instead of the file's, where `pre_override` isn't empty.
  explicit BpeTokenizer(const Metadata& metadata, std::string_view pre_override = {});

private:
  BpeTokenizer(const Metadata& metadata, const PretokenizerRule& rule);

  void encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const override;
  void encode_word(std::string_view word, Merger& merger, std::vector<Token>& out) const;
  void index_pieces(const Metadata& metadata);
  void read_merges(const Metadata& metadata);
  void add_merge(std::string_view line, std::uint32_t rank);
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
