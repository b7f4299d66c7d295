// What a terminal has to be sent to show a text that changes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/editor/layout.h"

namespace kern {

/// Remembers what it drew, and draws over it. Knows no terminal: it makes the bytes for one.
class Screen {
public:
  /// The layout in the place of what was drawn before; of more rows than `height` those around the cursor. `columns` is
  /// the terminal's width now: rows drawn on a wider one were broken by it.
  std::string draw(const Layout& layout, int columns, int height);
  /// The cursor behind all that was drawn, on a new line. What is drawn next stands below.
  std::string finish();
  /// Nothing of what was drawn is there any more.
  void forget();

private:
  /// Rows of the terminal from the first that was drawn to the cursor.
  std::size_t rows_above(int columns) const;

  std::vector<int> drawn_; // columns of the rows
  std::size_t cursor_row_ = 0;
  int cursor_column_ = 0;
};

} // namespace kern
