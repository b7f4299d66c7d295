// Where a text stands on a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kern {

struct Row {
  std::string text; // as it is sent to the terminal
  int columns = 0;
};

struct Layout {
  std::vector<Row> rows; // at least one
  std::size_t cursor_row = 0;
  std::size_t cursor_bytes = 0; // of that row's text, before the cursor
  int cursor_column = 0;
};

/// What is to be shown: a prompt, the text behind it, and words below.
struct View {
  std::string prompt; // of the first row; those below are indented as far as it reaches
  std::string text;
  std::size_t cursor = 0;         // in bytes of the text
  std::vector<std::string> words; // a menu below; none where empty
};

/// Rows of at most columns - 1, so that no terminal breaks one. Each line of the text begins a row. Characters are
/// shown as show_character() does.
Layout lay_out(const View& view, int columns);

} // namespace kern
