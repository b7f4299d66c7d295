#include "cli/editor/screen.h"

#include <algorithm>

#include <fmt/format.h>

namespace kern {

namespace {

std::string up(std::size_t rows) { return rows == 0 ? "" : fmt::format("\x1b[{}A", rows); }

/// Rows that a terminal of this width breaks one into.
std::size_t broken_into(int row_columns, int columns) {
  return static_cast<std::size_t>(std::max(1, (row_columns + columns - 1) / std::max(columns, 1)));
}

} // namespace

std::size_t Screen::rows_above(int columns) const {
  std::size_t rows = 0;
  for (std::size_t i = 0; i < cursor_row_ && i < drawn_.size(); ++i) rows += broken_into(drawn_[i], columns);
  return rows + static_cast<std::size_t>(cursor_column_ / std::max(columns, 1));
}

std::string Screen::draw(const Layout& layout, int columns, int height) {
  std::string out = "\r" + up(rows_above(columns));
  const auto visible = std::min(layout.rows.size(), static_cast<std::size_t>(std::max(height - 1, 1)));
  const std::size_t before = std::min(layout.cursor_row, visible / 2);
  const std::size_t first = std::min(layout.cursor_row - before, layout.rows.size() - visible);
  drawn_.clear();
  for (std::size_t i = first; i < first + visible; ++i) {
    if (i != first) out += "\r\n";
    out += layout.rows[i].text + "\x1b[K";
    drawn_.push_back(layout.rows[i].columns);
  }
  out += "\x1b[J";
  cursor_row_ = layout.cursor_row - first;
  cursor_column_ = layout.cursor_column;
  // The row's beginning once more puts the cursor where the terminal itself thinks that the text ends, whatever it
  // takes the width of a character for.
  out += "\r" + up(visible - 1 - cursor_row_) + layout.rows[layout.cursor_row].text.substr(0, layout.cursor_bytes);
  return out;
}

std::string Screen::finish() {
  const std::size_t below = drawn_.empty() ? 0 : drawn_.size() - 1 - cursor_row_;
  forget();
  return (below == 0 ? "" : fmt::format("\x1b[{}B", below)) + "\r\n";
}

void Screen::forget() {
  drawn_.clear();
  cursor_row_ = 0;
  cursor_column_ = 0;
}

} // namespace kern
