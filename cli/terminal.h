// What is known of the terminal, and what may be sent to it.
#pragma once

#include <string>
#include <string_view>

namespace kern {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();
/// Whether standard error is a terminal that colours are wanted on: NO_COLOR isn't set, and TERM isn't "dumb".
bool may_colour_stderr();
/// Columns of the terminal on standard error; 80 where that can't be told.
int terminal_width();

/// Control characters as visible escapes (\x1b), so that text from a model or a file can't drive a terminal. Newline
/// and tab stay; other C0 controls, DEL and the C1 controls of UTF-8 don't.
std::string escape_controls(std::string_view text);
/// The same for one line: newlines as \n too.
std::string escape_line(std::string_view text);

/// A progress bar on standard error, drawn only where that is a terminal and only once a second has gone by.
class ProgressBar {
public:
  /// `label` and `unit` as in "prompt  120 / 512 tokens".
  ProgressBar(std::string label, std::string unit, bool enabled);
  ~ProgressBar();
  void update(std::size_t done, std::size_t total);
  /// Removes the bar.
  void clear();

private:
  std::string label_;
  std::string unit_;
  bool enabled_;
  bool drawn_ = false;
  double begin_;
};

} // namespace kern
