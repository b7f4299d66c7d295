// How SentencePiece vocabularies spell a space.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "tokenizer/unicode.h"

namespace kern {

inline constexpr std::string_view space_mark = "\xE2\x96\x81"; // U+2581

/// A piece's spelling with spaces for the marks.
inline std::string unescape_spaces(std::string_view spelling) {
  std::string text;
  for (std::size_t i = 0; i < spelling.size();) {
    const bool is_space = spelling.substr(i).starts_with(space_mark);
    text += is_space ? ' ' : spelling[i];
    i += is_space ? space_mark.size() : 1;
  }
  return text;
}

/// Where pieces reach from a word into the next one: most vocabularies have spaces at the front of pieces only, and a
/// text may be cut before its spaces for the same pieces from smaller heaps. Some have a few others, as ">_</".
class WordJoints {
public:
  void add(std::string_view spelling) {
    for (std::size_t at = 0; (at = spelling.find(space_mark, at)) != std::string_view::npos; at += space_mark.size())
      if (at > 0 && !spelling.substr(0, at).ends_with(space_mark))
        joined_[static_cast<unsigned char>(spelling[at - 1])] = true;
  }
  /// Whether some piece has a space after text that ends as `text` does.
  bool reach_from(std::string_view text) const { return joined_[static_cast<unsigned char>(text.back())]; }

private:
  std::array<bool, 256> joined_{}; // by the byte before the space
};

/// Hands a text on with marks for its spaces: word(text) for each stretch that can be spelled by itself, mark() for a
/// mark that stands in the text itself where `marks_apart` (it is no space). `space_first`: as if the text began with
/// one more space.
template <class Word, class Mark>
void for_each_marked_word(std::string_view text, bool space_first, const WordJoints& joints, bool marks_apart,
                          Word&& word, Mark&& mark) {
  std::string pending;
  const auto flush = [&] {
    if (!pending.empty()) word(std::string_view(pending));
    pending.clear();
  };
  bool after_space = space_first;
  if (space_first) pending += space_mark;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      if (!after_space && !pending.empty() && !joints.reach_from(pending)) flush();
      pending += space_mark;
      after_space = true;
      ++i;
      continue;
    }
    const std::string_view character = text.substr(i, std::max<std::size_t>(1, utf8_character(text, i)));
    if (character == space_mark && marks_apart) {
      flush();
      mark();
    } else {
      pending += character;
    }
    after_space = character == space_mark && !marks_apart;
    i += character.size();
  }
  flush();
}

} // namespace kern
