#include "cli/output.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "cli/signals.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr int patience_ms = 2000;            // for a reader, once kern was asked to end
constexpr int look_ms = 500;                 // between looks at whether it was: a signal may come just before a wait
constexpr std::size_t safe_bytes = PIPE_BUF; // a pipe that poll() calls writable takes these without waiting

/// 0, or the errno of what went wrong; ETIMEDOUT where kern was asked to end and nobody reads.
int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    pollfd waiting{file, POLLOUT, 0};
    const bool ending = interrupted();
    const int ready = ::poll(&waiting, 1, ending ? patience_ms : look_ms);
    if (ready == 0 && ending) return ETIMEDOUT;
    if (ready <= 0) continue;
    const ssize_t written = ::write(file, text.data(), std::min(text.size(), safe_bytes));
    if (written >= 0) text.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR && errno != EAGAIN) return errno; // EAGAIN: somebody made our terminal non-blocking
  }
  return 0;
}

/// Whether EIO came from a terminal that went away; asking such a one what it is gives EIO too.
bool is_terminal(int file) { return ::isatty(file) == 1 || errno == EIO; }

} // namespace

void hold_standard_files() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(file, F_GETFD) != -1) continue;
    // The lowest free number, which is this one.
    static_cast<void>(::open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

void write_output(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == EPIPE || (error == EIO && is_terminal(STDOUT_FILENO))) throw ClosedOutput();
  if (error == ETIMEDOUT)
    throw Error(interruption_code(),
                fmt::format("{}; nobody reads standard output, the rest is lost", interruption_name()));
  if (error != 0)
    throw Error(ExitCode::output, fmt::format("standard output: cannot be written: {}", std::strerror(error)));
}

void write_notice(std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); }

std::string version() { return KERN_VERSION; }
std::string version_line() { return "kern " + version() + "\n"; }

} // namespace kern
