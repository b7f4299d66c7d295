// How SentencePiece vocabularies spell a space.
#pragma once

#include <algorithm>
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

/// Hands a text on with marks for its spaces: word(text) for each stretch that can be spelled by itself, mark() for a
/// mark that stands in the text itself where `marks_apart` (it is no space). `spaces_lead`: no piece has a space after
/// something else, so a text may be cut before its spaces, which gives the same pieces from smaller heaps.
/// `space_first`: as if the text began with one more space.
template <class Word, class Mark>
void for_each_marked_word(std::string_view text, bool space_first, bool spaces_lead, bool marks_apart, Word&& word,
                          Mark&& mark) {
  std::string pending;
  const auto flush = [&] {
    if (!pending.empty()) word(std::string_view(pending));
    pending.clear();
  };
  bool after_space = space_first;
  if (space_first) pending += space_mark;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      if (spaces_lead && !after_space) flush();
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
    after_space = false;
    i += character.size();
  }
  flush();
}

/// Whether a mark stands anywhere but at the front.
inline bool has_inner_space(std::string_view spelling) {
  std::size_t i = 0;
  while (spelling.substr(i).starts_with(space_mark)) i += space_mark.size();
  return spelling.find(space_mark, i) != std::string_view::npos;
}

} // namespace kern
