#include "cli/input.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr std::size_t max_prompt_bytes = std::size_t{256} << 20;
constexpr int silence_ms = 2000;

[[noreturn]] void fail(const std::string& message) { throw Error(ExitCode::usage, message); }

/// Waits until something can be read; says so once where it takes long.
void wait_for_input(int file, bool quiet) {
  pollfd waiting{file, POLLIN, 0};
  const bool silent = ::poll(&waiting, 1, silence_ms) == 0;
  if (silent && !quiet)
    write_notice("kern: waiting for standard input, a pipe that says nothing; --no-stdin ignores it\n");
}

std::string read_all(int file, const std::string& name, bool is_stdin, bool quiet) {
  if (is_stdin && !stdin_is_terminal()) wait_for_input(file, quiet);
  std::string text;
  std::string part(1 << 16, '\0');
  for (;;) {
    const ssize_t count = ::read(file, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(fmt::format("{}: cannot be read: {}", name, std::strerror(errno)));
    if (count == 0) return text;
    text.append(part, 0, static_cast<std::size_t>(count));
    if (text.size() > max_prompt_bytes)
      fail(fmt::format("{}: found more than {} MiB, expected a prompt that fits a context; shorten it", name,
                       max_prompt_bytes >> 20));
  }
}

/// False where there is no standard input at all: what was closed before the start can't be read.
bool stdin_is_open() {
  const int flags = ::fcntl(STDIN_FILENO, F_GETFL);
  return flags != -1 && (flags & O_ACCMODE) != O_WRONLY;
}

} // namespace

std::string read_text_file(const std::string& path, bool quiet) {
  if (path == "-") return read_all(STDIN_FILENO, "standard input", true, quiet);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail(fmt::format("{}: cannot be opened: {}", escape_controls(path), std::strerror(errno)));
  struct Closer {
    int file;
    ~Closer() { ::close(file); }
  } closer{file};
  return read_all(file, path, false, quiet);
}

std::string read_system_file(const std::string& path, bool quiet) {
  std::string text = read_text_file(path, quiet);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string read_prompt(const PromptFlags& flags, bool quiet) {
  const int given = static_cast<int>(!flags.words.empty()) + static_cast<int>(flags.text.has_value()) +
                    static_cast<int>(flags.file.has_value());
  if (given > 1) fail("the prompt was given more than once; use one of the arguments, -p and -f");
  std::string prompt;
  if (!flags.words.empty()) prompt = fmt::format("{}", fmt::join(flags.words, " "));
  else if (flags.text) prompt = *flags.text;
  else if (flags.file) prompt = read_text_file(*flags.file, quiet);

  const bool stdin_is_prompt = flags.file == "-";
  const bool take_stdin = !flags.no_stdin && !stdin_is_prompt && stdin_is_open() && !stdin_is_terminal();
  if (take_stdin) {
    const std::string piped = read_all(STDIN_FILENO, "standard input", true, quiet);
    if (given == 0) prompt = piped;
    else if (!piped.empty()) prompt += "\n\n" + piped;
  }
  if (prompt.empty() && given == 0)
    fail(take_stdin ? "standard input was empty, and no prompt was given; try: kern run \"Your question\""
                    : "no prompt; try: kern run \"Your question\", or pipe text in");
  return prompt;
}

} // namespace kern
