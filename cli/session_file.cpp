#include "cli/session_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

/// Closes at the end of its life.
struct OpenFile {
  int number = -1;
  explicit OpenFile(int file) : number(file) {}
  ~OpenFile() {
    if (number >= 0) ::close(number);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int release() { return std::exchange(number, -1); }
};

/// 0 or an errno.
int write_bytes(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

std::string all_lines(std::span<const SessionMessage> messages) {
  std::string text;
  for (const SessionMessage& message : messages) text += session_line(message);
  return text;
}

std::string shown(const std::filesystem::path& path) { return escape_line(path.string()); }

/// All of a file that is open. Throws Error(usage).
std::string read_whole(int file, const std::string& name) {
  std::string text;
  std::string part(1 << 16, '\0');
  for (;;) {
    const ssize_t count = ::read(file, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error(ExitCode::usage, fmt::format("{}: cannot be read: {}", name, std::strerror(errno)));
    if (count == 0) return text;
    text.append(part, 0, static_cast<std::size_t>(count));
    if (text.size() > max_session_bytes) return text; // refused by whoever reads it
  }
}

/// Throws Error(usage) where the file can hold no session.
void check_kind(int file, const std::string& name) {
  struct stat status {};
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) return;
  throw Error(ExitCode::usage, fmt::format("{}: found no regular file, expected a session; name another", name));
}

} // namespace

SessionFile::SessionFile(const std::filesystem::path& path, Kind kind) : name_(shown(path)) {
  std::error_code ignored; // a path that can't be resolved can't be opened either
  path_ = std::filesystem::weakly_canonical(path, ignored);
  if (path_.empty()) path_ = path;
  open_locked(kind);
  try {
    check_kind(file_, name_);
    read();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

SessionFile::~SessionFile() { ::close(file_); }

void SessionFile::open_locked(Kind kind) {
  const int flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | (kind == Kind::made ? O_EXCL : 0);
  for (;;) {
    OpenFile file(::open(path_.c_str(), flags, 0600));
    if (file.number < 0 && errno == EEXIST)
      throw Error(ExitCode::usage, fmt::format("{}: is there already; name a file that isn't", name_));
    if (file.number < 0) fail_to_open(std::strerror(errno));
    if (::flock(file.number, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        throw Error(ExitCode::usage, fmt::format("{}: another kern uses this session; end that one, or take a copy of "
                                                 "the file",
                                                 name_));
      fail_to_open(fmt::format("cannot be locked: {}", std::strerror(errno)));
    }
    // Between the two calls another process may have put a new file in its place.
    struct stat opened {
    }, named{};
    if (::fstat(file.number, &opened) == 0 && ::stat(path_.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
        opened.st_dev == named.st_dev) {
      file_ = file.release();
      return;
    }
  }
}

void SessionFile::fail_to_open(std::string_view what) const {
  throw Error(ExitCode::usage, fmt::format("{}: cannot be opened as a session: {}", name_, what));
}

void SessionFile::read() {
  const std::string text = read_whole(file_, name_);
  SessionText session = parse_session(text, name_);
  messages_ = std::move(session.messages);
  if (session.whole_bytes < text.size()) move_torn_line(text, session.whole_bytes);
  ends_line_ = session.whole_bytes == 0 || text[session.whole_bytes - 1] == '\n';
}

void SessionFile::move_torn_line(std::string_view text, std::size_t whole_bytes) {
  const std::string aside = path_.string() + ".torn";
  const OpenFile file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const int error = file.number < 0 ? errno : write_bytes(file.number, fmt::format("{}\n", text.substr(whole_bytes)));
  if (error != 0 || ::fsync(file.number) != 0 || ::ftruncate(file_, static_cast<off_t>(whole_bytes)) != 0)
    throw Error(ExitCode::usage,
                fmt::format("{}: the last line was never written to its end, and can't be moved to {}.torn: {}; "
                            "remove the line",
                            name_, name_, std::strerror(error != 0 ? error : errno)));
  repair_ = fmt::format("{}: the last line ({} bytes) was never written to its end; it was moved to {}.torn", name_,
                        text.size() - whole_bytes, name_);
}

void SessionFile::fail_to_store(int error) const {
  throw Error(ExitCode::output, fmt::format("{}: the turn isn't stored: {}", name_, std::strerror(error)));
}

void SessionFile::append(std::span<const SessionMessage> messages) {
  const std::string text = (ends_line_ ? "" : "\n") + all_lines(messages);
  struct stat before {};
  if (::fstat(file_, &before) != 0) fail_to_store(errno);
  // Larger ones are refused when they are read again.
  if (static_cast<std::size_t>(before.st_size) + text.size() > max_session_bytes) fail_to_store(EFBIG);
  int error = write_bytes(file_, text);
  if (error == 0 && ::fsync(file_) != 0) error = errno;
  if (error != 0) {
    // What doesn't go back is a torn line, which the next one who reads knows how to handle.
    static_cast<void>(::ftruncate(file_, before.st_size));
    fail_to_store(error);
  }
  ends_line_ = true;
}

void SessionFile::rewrite(std::span<const SessionMessage> messages) {
  const std::string text = all_lines(messages);
  if (text.size() > max_session_bytes) fail_to_store(EFBIG);
  std::string beside = path_.string() + ".partial-XXXXXX";
  OpenFile file(::mkostemp(beside.data(), O_CLOEXEC | O_APPEND));
  if (file.number < 0) fail_to_store(errno);
  struct stat before {};
  int error = ::fstat(file_, &before) != 0 ? errno : 0;
  // The new file is locked before it has the name, so that there is no moment without a lock.
  if (error == 0 && ::flock(file.number, LOCK_EX | LOCK_NB) != 0) error = errno;
  if (error == 0) {
    static_cast<void>(::fchown(file.number, before.st_uid, before.st_gid)); // only root may give files away
    if (::fchmod(file.number, before.st_mode & 07777) != 0) error = errno;
  }
  if (error == 0) error = write_bytes(file.number, text);
  if (error == 0 && ::fsync(file.number) != 0) error = errno;
  if (error == 0 && ::rename(beside.c_str(), path_.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(beside.c_str());
    fail_to_store(error);
  }
  ::close(file_);
  file_ = file.release();
  ends_line_ = true;
}

std::vector<SessionMessage> read_session(const std::filesystem::path& path) {
  const std::string name = shown(path);
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number < 0)
    throw Error(ExitCode::usage, fmt::format("{}: cannot be opened: {}", name, std::strerror(errno)));
  check_kind(file.number, name);
  return parse_session(read_whole(file.number, name), name).messages;
}

std::unique_ptr<SessionFile> make_session(const std::filesystem::path& path, std::span<const SessionMessage> messages) {
  auto file = std::make_unique<SessionFile>(path, SessionFile::Kind::made);
  try {
    file->append(messages);
  } catch (const Error&) {
    ::unlink(path.c_str());
    throw;
  }
  return file;
}

void save_session(const std::filesystem::path& path, std::span<const SessionMessage> messages) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) SessionFile(path, SessionFile::Kind::any).rewrite(messages);
  else make_session(path, messages);
}

} // namespace kern
