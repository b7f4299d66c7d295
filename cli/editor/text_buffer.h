// A text that is being edited.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace kern {

/// UTF-8 and a cursor, which stands before what the user sees as one character (see width.h) or at the end. Lines are
/// those between newlines, not those a terminal's width makes.
class TextBuffer {
public:
  const std::string& text() const { return text_; }
  /// In bytes.
  std::size_t cursor() const { return cursor_; }

  /// Another text, the cursor at its end; what was there can't be brought back.
  void reset(std::string text);
  /// The same as one change, for undo().
  void replace(std::string text);
  /// At the cursor. False where the text would be longer than max_edit_bytes; then nothing changes.
  bool insert(std::string_view text);
  /// Characters typed: those of a word, with the blanks behind it, are undone together.
  bool type(std::string_view text);

  void left();
  void right();
  void word_left();
  void word_right();
  void line_home();
  void line_end();
  /// To the line above or below, in the same column as far as there is one. False where there is no such line.
  bool up();
  bool down();
  void to(std::size_t cursor) { cursor_ = cursor; }

  void erase_left();
  void erase_right();
  /// Cuts take text away and keep it for put_back(); one after the other they keep all of it.
  void cut_to_line_end();
  void cut_to_line_home();
  void cut_word_left();
  void cut_word_right();
  void cut_blank_word();
  void put_back();
  /// Swaps the characters before and at the cursor, or the last two.
  void swap();
  void undo();

private:
  enum class Change : std::uint8_t { none, typing, cutting, other };
  struct Version {
    std::string text;
    std::size_t cursor;
  };

  void will_change(Change change);
  void moved();
  void erase(std::size_t begin, std::size_t end);
  void cut(std::size_t begin, std::size_t end, bool to_the_left);
  std::size_t line_begin(std::size_t position) const;
  std::size_t line_finish(std::size_t position) const;
  std::size_t word_before(std::size_t position) const;
  std::size_t word_behind(std::size_t position) const;
  /// The cursor in the line that begins at `begin`, at `column` or the line's end.
  void to_column(std::size_t begin, int column);
  int column() const;

  std::string text_;
  std::size_t cursor_ = 0;
  std::string cut_;
  Change last_ = Change::none;
  int wanted_column_ = -1;       // while going up and down
  std::deque<Version> versions_; // the newest last
  std::size_t version_bytes_ = 0;
};

} // namespace kern
