#include "cli/output.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "model/error.h"

namespace kern {

namespace {

/// 0, or the errno of what went wrong.
int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) { // somebody made our terminal non-blocking
      pollfd waiting{file, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

} // namespace

void write_output(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == EPIPE) throw ClosedOutput();
  if (error != 0)
    throw Error(ExitCode::output, fmt::format("standard output: cannot be written: {}", std::strerror(error)));
}

void write_notice(std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); }

std::string version() { return KERN_VERSION; }
std::string version_line() { return "kern " + version() + "\n"; }

} // namespace kern
