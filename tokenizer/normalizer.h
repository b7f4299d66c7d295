// SentencePiece's normalization: replacements compiled into a trie, and what it does with white space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/metadata.h"

namespace kern {

/// `tokenizer.ggml.precompiled_charsmap`, `remove_extra_whitespaces` and `add_space_prefix`. Algorithm:
/// google/sentencepiece src/normalizer.cc; the trie: s-yata/darts-clone include/darts.h. Bytes that are not UTF-8
/// become U+FFFD, one each.
class Normalizer {
public:
  /// Throws Error(model) where the map is cut or not ended.
  explicit Normalizer(const Metadata& metadata);

  /// With spaces written as U+2581, one before the text if the model puts it there and `at_start`. Throws Error(model)
  /// where the text leads to a part of the map that doesn't exist.
  std::string normalize(std::string_view text, bool at_start) const;

private:
  /// What a text begins with, and how many of its bytes that stands for.
  using Prefix = std::pair<std::string_view, std::size_t>;
  Prefix normalize_prefix(std::string_view text) const;
  std::uint32_t unit(std::size_t index) const;
  std::string_view replacement(std::size_t offset) const;
  [[noreturn]] void fail(const std::string& problem) const;

  std::string source_;               // the file, for messages
  std::vector<std::uint32_t> units_; // of the double array; empty: nothing is replaced
  std::string replacements_;         // ended by NUL each
  bool merges_spaces_;
  bool adds_space_;
};

} // namespace kern
