// Tokens by id, on their way into a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "convert/json_reader.h"
#include "convert/keys.h"

namespace kern {

/// tokenizer.ggml.token_type
namespace token_type {
inline constexpr std::int32_t normal = 1, control = 3, user_defined = 4, unused = 5, byte = 6;
}

/// Ids that nothing names are "[PADid]", unused.
class TokenList {
public:
  /// All `size` ids; every one has that score until it is set.
  TokenList(std::uint64_t size, float score);

  std::size_t size() const { return texts_.size(); }
  void set(std::uint64_t id, std::string text, float score, std::int32_t type);
  const std::string& text(std::uint64_t id) const { return texts_[id]; }
  std::int32_t type(std::uint64_t id) const { return types_[id]; }

  /// tokens, token_type, and scores where the tokenizer has them.
  void write(Keys& keys, bool with_scores) const;

private:
  std::vector<std::string> texts_;
  std::vector<float> scores_;
  std::vector<std::int32_t> types_;
};

/// The size of the vocabulary, after a check that it is no lie: config.json's, for `found` tokens.
std::uint64_t checked_vocab_size(const JsonObject& place, std::uint64_t claimed, std::uint64_t found);

/// Whether a token that isn't marked as special must be one all the same: some models forget to.
bool looks_special(std::string_view text);

/// As a text holds it: "▁" is a space.
std::string with_spaces(std::string_view text);

/// A token of `added_tokens` (tokenizer.json) or `added_tokens_decoder` (tokenizer_config.json).
struct AddedToken {
  std::uint64_t id = 0;
  std::string text;
  bool special = false;
};

} // namespace kern
