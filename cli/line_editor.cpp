#include "cli/line_editor.h"

#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "cli/chat_status.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/terminal.h"

namespace kern {

namespace {

constexpr int look_ms = 500;  // a signal may come just before a wait
constexpr int escape_ms = 50; // a key's bytes come together, Escape alone

History read_history() {
  auto path = history_path();
  return path ? History(std::move(*path)) : History();
}

} // namespace

LineEditor::LineEditor(std::string prompt, Completer complete)
    : history_(read_history()), editor_(history_, std::move(complete), std::move(prompt)) {
  watch_terminal();
}

void LineEditor::draw() {
  const int columns = terminal_width();
  write_notice(screen_.draw(lay_out(editor_.view(), columns), columns, terminal_height()));
}

void LineEditor::settle() {
  const int columns = terminal_width();
  const std::string text = screen_.draw(lay_out(editor_.final_view(), columns), columns, terminal_height());
  write_notice(text + screen_.finish());
}

bool LineEditor::wait_for_keys() {
  pollfd waiting{STDIN_FILENO, POLLIN, 0};
  const int ready = ::poll(&waiting, 1, keys_.waits() ? escape_ms : look_ms);
  if (ready == 0 && keys_.waits()) keys_.time_out();
  if (ready <= 0) return true;
  char bytes[4096];
  const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof(bytes));
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) return false; // the terminal went away
  keys_.push({bytes, static_cast<std::size_t>(count)});
  return true;
}

void LineEditor::suspend() {
  settle();
  mode_.leave();
  // The whole job, as the terminal itself would; it is kern's own only where a shell made it so.
  if (::tcgetpgrp(STDIN_FILENO) == ::getpgrp()) ::kill(0, SIGTSTP);
  mode_.edit(); // kern goes on here
}

ChatLine LineEditor::interrupted_line() {
  const bool was_empty = editor_.text().empty();
  settle();
  mode_.listen();
  if (was_empty && !interrupted()) write_notice(chat_notice("Ctrl-D or /exit leaves"));
  return {ChatLine::Kind::interrupted, {}};
}

ChatLine LineEditor::read(const std::string& initial) {
  mode_.edit();
  editor_.begin(initial);
  for (bool changed = true;;) {
    while (const auto key = keys_.next()) {
      changed = true;
      switch (editor_.handle(*key)) {
      case EditEvent::none: break;
      case EditEvent::submitted:
        settle();
        mode_.listen();
        history_.add(editor_.text());
        return {ChatLine::Kind::text, editor_.text()};
      case EditEvent::interrupted: return interrupted_line();
      case EditEvent::leaves: settle(); return {ChatLine::Kind::end, {}};
      case EditEvent::suspended: suspend(); break;
      case EditEvent::cleared:
        write_notice("\x1b[H\x1b[2J");
        screen_.forget();
        break;
      case EditEvent::too_long:
        settle();
        write_notice(chat_notice(
            fmt::format("more than {} KiB are not edited here; /file PATH adds a file's text", max_edit_bytes >> 10)));
        break;
      }
    }
    if (changed) draw();
    if (!wait_for_keys()) {
      std::raise(SIGHUP); // comes anyway where this is the terminal's own session
      return {interrupted() ? ChatLine::Kind::interrupted : ChatLine::Kind::end, {}};
    }
    if (interrupted()) return interrupted_line();
    changed = terminal_changed();
    if (changed) mode_.edit();
  }
}

} // namespace kern
