#include "cli/chat_input.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/signals.h"
#include "cli/turn_text.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr std::size_t max_line_bytes = std::size_t{16} << 20;
constexpr int look_ms = 500; // a signal may come just before a wait

} // namespace

ChatLine PlainInput::read_line() {
  for (;;) {
    const std::size_t newline = buffer_.find('\n', searched_);
    const bool found = newline != std::string::npos;
    if (found || (ended_ && !buffer_.empty())) {
      std::string line = buffer_.substr(0, newline);
      buffer_.erase(0, found ? newline + 1 : newline);
      searched_ = 0;
      if (line.ends_with('\r')) line.pop_back();
      return {ChatLine::Kind::text, std::move(line)};
    }
    searched_ = buffer_.size();
    if (ended_) return {ChatLine::Kind::end, {}};
    if (buffer_.size() > max_line_bytes)
      throw Error(ExitCode::usage, fmt::format("standard input: found a line of more than {} MiB, expected a message "
                                               "that fits a context; shorten it",
                                               max_line_bytes >> 20));
    pollfd waiting{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, look_ms);
    if (interrupted()) {
      buffer_.clear();
      return {ChatLine::Kind::interrupted, {}};
    }
    if (ready <= 0) continue;
    std::string part(1 << 16, '\0');
    const ssize_t count = ::read(STDIN_FILENO, part.data(), part.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0)
      throw Error(ExitCode::usage, fmt::format("standard input: cannot be read: {}", std::strerror(errno)));
    if (count == 0) ended_ = true;
    buffer_.append(part, 0, static_cast<std::size_t>(count));
  }
}

ChatLine PlainInput::read(const std::string&) {
  if (!prompt_.empty()) write_notice(prompt_);
  ChatLine turn = read_line();
  while (turn.kind == ChatLine::Kind::text && wants_more(turn.text)) {
    const ChatLine next = read_line();
    if (next.kind == ChatLine::Kind::interrupted) return next;
    if (next.kind == ChatLine::Kind::end) {
      if (!is_open_block(turn.text)) break; // a backslash at the very end is one
      throw Error(ExitCode::usage, "standard input: found its end in a block that began with \"\"\", expected \"\"\" "
                                   "behind it; nothing of it was sent");
    }
    add_line(turn.text, next.text);
    if (turn.text.size() > max_line_bytes)
      throw Error(ExitCode::usage,
                  fmt::format("standard input: found a block of more than {} MiB; shorten it", max_line_bytes >> 20));
  }
  return turn;
}

} // namespace kern
