// Splitting text into the words within which byte-level BPE merges.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kern {

/// A way of splitting that GGUF files name in `tokenizer.ggml.pre`.
struct PretokenizerRule {
  std::span<const std::string_view> names;
  std::span<const std::string_view> patterns; // regular expressions applied one after another, each to the words before
  bool whole_words_first;                     // a word that is in the vocabulary is one token, whatever the merges say
  bool add_bos;                               // where the file doesn't say
  bool of_characters = false;                 // no splitting, and BPE of characters instead of bytes
};

/// All of them, the usual ones first.
std::span<const PretokenizerRule> all_pretokenizer_rules();

/// Null where the name is not known.
const PretokenizerRule* find_pretokenizer_rule(std::string_view name);

/// "command-r, deepseek-coder, ..." for messages.
std::string pretokenizer_names();

/// The compiled patterns of a rule. Immutable: safe to use from several threads.
class Pretokenizer {
public:
  explicit Pretokenizer(const PretokenizerRule& rule);
  ~Pretokenizer();

  /// Offsets where the words of `text` end, ascending, the last being text.size(). The text must be well-formed UTF-8.
  /// What a pattern matches is a word, and so is what lies between matches. Time and memory are linear in the text.
  std::vector<std::size_t> split(std::string_view text) const;

private:
  struct Pattern;
  std::vector<std::unique_ptr<Pattern>> patterns_;
};

} // namespace kern
