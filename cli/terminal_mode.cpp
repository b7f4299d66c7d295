#include "cli/terminal_mode.h"

#include <atomic>
#include <string_view>

#include <termios.h>
#include <unistd.h>

namespace kern {

namespace {

// For the signal handler: written before `mode_changed` says that they are.
termios original{};
std::atomic<bool> mode_changed{false};
std::atomic<bool> bracketed{false};

constexpr std::string_view begin_brackets = "\x1b[?2004h";
constexpr std::string_view end_brackets = "\x1b[?2004l";

void send(std::string_view text) {
  const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(ignored);
}

void apply(bool signals) {
  if (!mode_changed.load()) return;
  termios mode = original;
  // Ctrl-J and Enter stay apart, and Ctrl-S and Ctrl-Q are keys like others.
  mode.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IGNCR | IXON);
  mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | IEXTEN);
  if (!signals) mode.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
}

} // namespace

void restore_terminal() {
  if (!mode_changed.load()) return;
  if (bracketed.exchange(false)) send(end_brackets);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &original);
}

TerminalMode::TerminalMode() {
  if (::tcgetattr(STDIN_FILENO, &original) == 0) mode_changed = true;
}

TerminalMode::~TerminalMode() {
  restore_terminal();
  mode_changed = false;
}

void TerminalMode::edit() {
  apply(false);
  if (mode_changed.load() && !bracketed.exchange(true)) send(begin_brackets);
}

void TerminalMode::listen() {
  apply(true);
  if (bracketed.exchange(false)) send(end_brackets);
}

void TerminalMode::leave() { restore_terminal(); }

} // namespace kern
