// How SentencePiece vocabularies spell a space.
#pragma once

#include <string>
#include <string_view>

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

/// Whether a mark stands anywhere but at the front.
inline bool has_inner_space(std::string_view spelling) {
  std::size_t i = 0;
  while (spelling.substr(i).starts_with(space_mark)) i += space_mark.size();
  return spelling.find(space_mark, i) != std::string_view::npos;
}

} // namespace kern
