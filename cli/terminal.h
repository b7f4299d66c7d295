// What is known of the terminal, and what may be sent to it.
#pragma once

#include <string>
#include <string_view>

namespace kern {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();
/// Whether the terminal, if there is one, is known to understand escape sequences: $TERM is neither unset nor "dumb".
bool knows_escapes();
/// Whether standard error is such a terminal, and nobody asks for NO_COLOR.
bool may_colour_stderr();
/// Columns of the terminal on standard error; 80 where that can't be told.
int terminal_width();
/// Rows of it; 24 where that can't be told.
int terminal_height();

/// From now on terminal_changed() knows.
void watch_terminal();
/// Whether, since the last call, the terminal got another size or kern went on after it was stopped.
bool terminal_changed();

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
