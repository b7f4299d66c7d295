#include "cli/editor/layout.h"

#include <algorithm>

#include "cli/editor/width.h"

namespace kern {

namespace {

constexpr int narrowest = 8;
constexpr std::size_t most_menu_rows = 6;

void append_shown(Row& row, std::string_view character) {
  if (is_plain(character)) {
    row.text += character[0];
    ++row.columns;
    return;
  }
  const ShownCharacter shown = show_character(character);
  row.text += shown.text;
  row.columns += shown.columns;
}

Row shown_line(std::string_view text) {
  Row row;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t next = next_character(text, i);
    append_shown(row, text.substr(i, next - i));
    i = next;
  }
  return row;
}

/// The end of a text that has at most `columns`.
std::string_view tail(std::string_view text, int columns) {
  for (int excess = columns_of(text) - columns; excess > 0;) {
    const std::size_t next = next_character(text, 0);
    excess -= columns_of(text.substr(0, next));
    text.remove_prefix(next);
  }
  return text;
}

void add_menu(Layout& layout, const std::vector<std::string>& words, int width) {
  int widest = 0;
  for (const std::string& word : words) widest = std::max(widest, columns_of(word));
  const auto per_row = static_cast<std::size_t>(std::max(1, (width + 2) / (widest + 2)));
  std::size_t done = 0;
  for (std::size_t row = 0; row < most_menu_rows && done < words.size(); ++row) {
    Row line;
    for (std::size_t i = 0; i < per_row && done < words.size(); ++i, ++done) {
      const std::string_view word = tail(words[done], width);
      if (i != 0) {
        const int gap = static_cast<int>(i) * (widest + 2) - line.columns;
        line.text.append(static_cast<std::size_t>(gap), ' ');
        line.columns += gap;
      }
      const Row shown = shown_line(word);
      line.text += shown.text;
      line.columns += shown.columns;
    }
    layout.rows.push_back(std::move(line));
  }
  if (done < words.size()) {
    const std::string rest = "... " + std::to_string(words.size() - done);
    layout.rows.push_back({rest, static_cast<int>(rest.size())});
  }
}

} // namespace

Layout lay_out(const View& view, int columns) {
  const int width = std::max(columns, narrowest) - 1;
  Layout layout;
  layout.rows.push_back(shown_line(tail(view.prompt, width / 2)));
  const int indent = layout.rows[0].columns;
  const auto new_row = [&] { layout.rows.push_back({std::string(static_cast<std::size_t>(indent), ' '), indent}); };
  bool placed = false;
  const auto place_cursor = [&] {
    layout.cursor_row = layout.rows.size() - 1;
    layout.cursor_bytes = layout.rows.back().text.size();
    layout.cursor_column = layout.rows.back().columns;
    placed = true;
  };
  const std::string_view text = view.text;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t next = next_character(text, i);
    const bool here = !placed && view.cursor < next; // also in the middle of what is shown as one
    if (text[i] == '\n') {
      if (here) place_cursor();
      new_row();
    } else {
      const std::string_view character = text.substr(i, next - i);
      if (layout.rows.back().columns + columns_of(character) > width) new_row();
      if (here) place_cursor();
      append_shown(layout.rows.back(), character);
    }
    i = next;
  }
  if (!placed) place_cursor();
  if (!view.words.empty()) add_menu(layout, view.words, width);
  return layout;
}

} // namespace kern
