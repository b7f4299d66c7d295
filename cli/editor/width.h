// How text stands in the columns of a terminal: what the user sees as one character, and how wide it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kern {

enum class CharacterKind : std::uint8_t {
  narrow,  // one column
  wide,    // two
  mark,    // belongs to the character before it, no column
  spacing, // belongs to it, one column more
};

CharacterKind character_kind(std::uint32_t code);

/// The first byte behind what the user sees as one character at `position`, marks, emoji sequences and flags included.
/// Unicode's grapheme clusters without the rules for scripts that need a dictionary. `text` is UTF-8; a byte that isn't
/// counts as a character. `position` is less than the text's size.
std::size_t next_character(std::string_view text, std::size_t position);
/// Where the one before `position` begins; `position` is more than 0.
std::size_t previous_character(std::string_view text, std::size_t position);

/// Printable ASCII: shown as it is in one column, which is most of all text and known at once.
inline bool is_plain(std::string_view character) {
  return character.size() == 1 && character[0] >= 0x20 && character[0] < 0x7F;
}

/// What a terminal is sent for one such character, and its columns. Control characters, those that change the direction
/// of writing, and bytes that are no UTF-8 are spelled as escapes; a tab is four spaces. Not for newlines.
struct ShownCharacter {
  std::string text;
  int columns = 0;
};
ShownCharacter show_character(std::string_view character);

/// Columns of a text of one line.
int columns_of(std::string_view text);

} // namespace kern
