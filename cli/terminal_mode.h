// The terminal while a line is edited: key by key, without echo.
#pragma once

namespace kern {

/// Puts the terminal of standard input back as it was before the first TerminalMode; nothing where there is none. Safe
/// in a signal handler.
void restore_terminal();

/// While this lives, the terminal of standard input gives single keys and echoes nothing. Put back at the end of its
/// life, and by every signal that ends kern.
class TerminalMode {
public:
  /// Does nothing where standard input is no terminal.
  TerminalMode();
  ~TerminalMode();
  TerminalMode(const TerminalMode&) = delete;
  TerminalMode& operator=(const TerminalMode&) = delete;

  /// Every key is a byte to read, Ctrl-C too; pastes are bracketed.
  void edit();
  /// Ctrl-C and the like are signals; what is typed waits for the next edit().
  void listen();
  /// As it was before: for a process that is stopped.
  void leave();
};

} // namespace kern
