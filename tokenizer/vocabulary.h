// What `tokenizer.ggml.*` says about tokens, whatever the algorithm.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/metadata.h"
#include "tokenizer/special_matcher.h"
#include "tokenizer/tokenizer.h"

namespace kern {

inline constexpr std::string_view key_tokens = "tokenizer.ggml.tokens";
inline constexpr std::string_view key_scores = "tokenizer.ggml.scores";

/// What holds where the file says nothing.
struct SpecialDefaults {
  std::optional<Token> bos;
  std::optional<Token> eos;
  std::optional<Token> unknown;
  bool add_bos = false;
  bool add_eos = false;
  bool always_bos = false; // whatever the file says
};

/// The list of tokens, copied out of the file.
class Vocabulary {
public:
  /// Throws Error(model) where arrays are missing, of different lengths, or a special token's id is out of range.
  Vocabulary(const Metadata& metadata, const SpecialDefaults& defaults);

  std::size_t size() const { return types_.size(); }
  bool contains(Token token) const { return token >= 0 && static_cast<std::size_t>(token) < size(); }
  std::string_view text(Token token) const {
    const auto i = static_cast<std::size_t>(token);
    return std::string_view(texts_).substr(begins_[i], begins_[i + 1] - begins_[i]);
  }
  TokenType type(Token token) const { return types_[static_cast<std::size_t>(token)]; }
  /// Zero where the file has no scores.
  float score(Token token) const { return scores_.empty() ? 0.0f : scores_[static_cast<std::size_t>(token)]; }
  bool has_types() const { return has_types_; }
  const SpecialTokens& special() const { return special_; }

private:
  void read_texts(const Metadata& metadata);
  void read_scores(const Metadata& metadata);
  void read_types(const Metadata& metadata);
  void read_special(const Metadata& metadata, const SpecialDefaults& defaults);
  void find_end_of_generation(const Metadata& metadata);

  std::string texts_; // one after another
  std::vector<std::size_t> begins_;
  std::vector<TokenType> types_;
  std::vector<float> scores_;
  bool has_types_ = false;
  SpecialTokens special_;
};

/// The byte that a token spelled "<0x00>" ... "<0xFF>" stands for.
std::optional<unsigned char> byte_of_spelling(std::string_view text);

/// Special tokens are handed out whole, before any merging: their ids are no result of it.
inline bool is_special(TokenType type) {
  return type == TokenType::control || type == TokenType::unknown || type == TokenType::user_defined;
}

} // namespace kern
