#include "model/output_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/error.h"

namespace kern {

namespace {

/// The file itself where the path is a link to one: a rename would replace the link.
std::filesystem::path follow_links(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::path target = std::filesystem::canonical(path, error);
  return error ? path : target;
}

} // namespace

OutputFile::OutputFile(std::filesystem::path path)
    : path_(follow_links(path)), temporary_(path_.string() + ".partial-XXXXXX") {
  std::error_code error;
  if (std::filesystem::exists(path_, error) && !std::filesystem::is_regular_file(path_, error))
    throw Error(ExitCode::output,
                fmt::format("{}: found a {}, expected a file or a new name; name another", path_.string(),
                            std::filesystem::is_directory(path_, error) ? "folder" : "device or pipe"));
  file_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (file_ < 0) fail("cannot be created");
  // mkostemp gives 0600; a file people share follows their umask.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  static_cast<void>(::fchmod(file_, 0666 & ~mask));
}

OutputFile::~OutputFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void OutputFile::commit() {
  if (::fsync(file_) != 0) fail("cannot be flushed to the disk");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be given its name");
  ::close(file_);
  file_ = -1;
}

void OutputFile::fail(const char* what) const {
  throw Error(ExitCode::output,
              fmt::format("{}: {}: {}; nothing was left behind", path_.string(), what, std::strerror(errno)));
}

} // namespace kern
