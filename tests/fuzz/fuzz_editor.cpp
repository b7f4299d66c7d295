// Any keys for the line editor. The first byte is the terminal's width; 0xFE stands for a pause after which a lone
// Escape is one, 0xFD makes the terminal narrower, all other bytes are typed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "cli/editor/editor.h"
#include "cli/editor/screen.h"
#include "cli/editor/width.h"
#include "cli/turn_text.h"
#include "tests/fuzz/check_text.h"
#include "tests/terminal_screen.h"
#include "tokenizer/unicode.h"

namespace {

using kern::fuzz::expect;

/// What is to be drawn: the cursor stands between characters of UTF-8, the rows fit, and nothing of the text drives the
/// terminal.
kern::Layout checked_layout(const kern::Editor& editor, int columns) {
  const kern::View view = editor.view();
  expect(view.cursor <= view.text.size());
  expect(kern::end_of_utf8_run(view.text, 0, true) == view.text.size());
  expect(view.cursor == view.text.size() || (static_cast<unsigned char>(view.text[view.cursor]) & 0xC0) != 0x80);
  kern::Layout layout = kern::lay_out(view, columns);
  expect(layout.cursor_row < layout.rows.size());
  expect(layout.cursor_bytes <= layout.rows[layout.cursor_row].text.size());
  for (const kern::Row& row : layout.rows) {
    // A single character may be wider than a very narrow terminal.
    expect(row.columns < columns || columns < 20);
    for (const char c : row.text) expect(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  }
  return layout;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  int columns = 8 + data[0] % 100;
  kern::History history;
  for (const char* entry : {"first", "two\nlines", "\xE7\x8C\xAB"}) history.add(entry);
  kern::Editor editor(
      history,
      [](std::string_view before) {
        return kern::complete_command(before, {"/file", "/save", "/set"}, [](std::string_view) { return false; });
      },
      "> ");
  editor.begin("");
  kern::KeyDecoder keys;
  kern::Screen screen;
  kern::test::TerminalScreen terminal(columns);
  for (std::size_t i = 1; i < size; ++i) {
    if (data[i] == 0xFE) {
      keys.time_out();
    } else if (data[i] == 0xFD) {
      columns = std::max(8, columns - 7);
      terminal.resize(columns);
    } else {
      const char byte = static_cast<char>(data[i]);
      keys.push({&byte, 1});
    }
    while (const auto key = keys.next()) {
      if (editor.handle(*key) != kern::EditEvent::submitted) continue;
      kern::read_turn(editor.text());
      history.add(editor.text());
      terminal.write(screen.finish());
      editor.begin("");
    }
    if (i % 16 != 0 && i + 1 != size) continue; // laying out takes most of the time
    terminal.write(screen.draw(checked_layout(editor, columns), columns, 5));
  }
  for (const std::string& entry : history.entries()) {
    const auto read = kern::parse_history(kern::history_line(entry));
    expect(read.size() == 1 && read[0] == entry);
  }
  return 0;
}
