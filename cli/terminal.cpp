#include "cli/terminal.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/signals.h"
#include "tokenizer/unicode.h"

namespace kern {

namespace {

std::atomic<bool> changed{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void on_change(int) { changed = true; }

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

bool knows_escapes() {
  const char* kind = std::getenv("TERM");
  return kind && *kind && std::string_view(kind) != "dumb";
}

bool may_colour_stderr() {
  const char* no_color = std::getenv("NO_COLOR");
  return stderr_is_terminal() && knows_escapes() && !(no_color && *no_color);
}

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int terminal_height() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

void watch_terminal() {
  struct sigaction action {};
  action.sa_handler = on_change; // without SA_RESTART: a wait for keys ends
  ::sigemptyset(&action.sa_mask);
  for (const int signal : {SIGWINCH, SIGCONT}) ::sigaction(signal, &action, nullptr);
}

bool terminal_changed() { return changed.exchange(false); }

std::string escape_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = utf8_character(text, i);
    const bool control = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F;
    if (length == 0 || control) { // a stray byte may be an 8-bit control
      out += fmt::format("\\x{:02x}", byte);
      ++i;
      continue;
    }
    const std::string_view character = text.substr(i, length);
    if (byte == 0xC2 && static_cast<unsigned char>(character[1]) <= 0x9F)
      out += fmt::format("\\u00{:02x}", static_cast<unsigned char>(character[1]));
    else out += character;
    i += length;
  }
  return out;
}

std::string escape_line(std::string_view text) {
  std::string line = escape_controls(text);
  for (std::size_t at = 0; (at = line.find('\n', at)) != std::string::npos; at += 2) line.replace(at, 1, "\\n");
  return line;
}

ProgressBar::ProgressBar(std::string label, std::string unit, bool enabled)
    : label_(std::move(label)), unit_(std::move(unit)), enabled_(enabled && stderr_is_terminal()),
      begin_(now_seconds()) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::update(std::size_t done, std::size_t total) {
  const double elapsed = now_seconds() - begin_;
  if (!enabled_ || elapsed < 1.0 || total == 0) return;
  if (done >= total) return clear();
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const double left = done ? elapsed / share - elapsed : 0.0;
  const std::string text = fmt::format(" {} / {} {}, {:.0f} s left", done, total, unit_, left);
  const int columns = terminal_width() - 1; // the last one stays free: some terminals wrap as soon as it is filled
  const int room = columns - static_cast<int>(label_.size() + text.size()) - 3;
  const int width = std::clamp(room, 0, 40);
  const int filled = static_cast<int>(share * width);
  std::string line = label_ + " ";
  if (width >= 5)
    line += "[" + std::string(static_cast<std::size_t>(filled), '#') +
            std::string(static_cast<std::size_t>(width - filled), '.') + "]";
  line += text;
  line.resize(std::min(line.size(), static_cast<std::size_t>(std::max(columns, 0))));
  // The cursor waits at the beginning. A terminal that becomes narrower breaks the line into several, but keeps the
  // cursor there, and what is below is erased with the next update.
  write_notice("\r" + line + "\x1b[J\r");
  drawn_ = true;
  set_bar_drawn(true);
}

void ProgressBar::clear() {
  if (drawn_) write_notice("\r\x1b[J");
  drawn_ = false;
  set_bar_drawn(false);
}

} // namespace kern
