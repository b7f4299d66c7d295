// What a user types, line by line, as the text of a turn.
#pragma once

#include <string>
#include <string_view>

namespace kern {

/// Whether the text begins with """ and doesn't end with another.
bool is_open_block(std::string_view text);
/// Whether another line belongs to it: an open block, or a line that ends in an odd number of backslashes.
bool wants_more(std::string_view text);
/// Adds a line to a text that wants more: behind a block a new line, in the place of the backslash otherwise.
void add_line(std::string& text, std::string_view line);

struct Turn {
  std::string text;
  bool is_command = false; // begins with a slash; of two, one is taken away and it is a message
};
/// A text that wants no more, without the marks of a block. A block is never a command.
Turn read_turn(std::string_view text);

} // namespace kern
