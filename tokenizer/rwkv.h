// RWKV's tokenizer: always the longest token that the text goes on with.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/byte_trie.h"
#include "tokenizer/vocabulary_tokenizer.h"

namespace kern {

/// `tokenizer.ggml.model` = "rwkv". Algorithm: BlinkDL/RWKV-LM, RWKV-v5/tokenizer/rwkv_tokenizer.py. The file spells
/// tokens as Python spells bytes between quotes.
class RwkvTokenizer final : public VocabularyTokenizer {
public:
  explicit RwkvTokenizer(const Metadata& metadata);

private:
  void encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const override;

  ByteTrie trie_;
};

} // namespace kern
