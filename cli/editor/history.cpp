#include "cli/editor/history.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tokenizer/unicode.h"

namespace kern {

namespace {

constexpr std::size_t max_file_bytes = std::size_t{16} << 20; // a larger one is begun anew

/// Closes, and so unlocks, at the end of its life.
class LockedFile {
public:
  /// `file` is -1 where it can't be opened and locked.
  explicit LockedFile(const std::filesystem::path& path) {
    for (;;) {
      file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
      struct stat opened {
      }, named{};
      if (file_ < 0) return;
      const bool locked = ::fstat(file_, &opened) == 0 && S_ISREG(opened.st_mode) && ::flock(file_, LOCK_EX) == 0;
      if (!locked) {
        close();
        return;
      }
      // While this one waited, another may have put a new file in its place.
      if (::stat(path.c_str(), &named) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev) return;
      close();
    }
  }
  ~LockedFile() { close(); }
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;

  int number() const { return file_; }

private:
  void close() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
  }

  int file_ = -1;
};

std::string read_whole(int file) {
  std::string text;
  std::string part(1 << 16, '\0');
  while (text.size() <= max_file_bytes) {
    const ssize_t count = ::read(file, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(part, 0, static_cast<std::size_t>(count));
  }
  return {};
}

bool write_once(int file, std::string_view text) {
  return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// The newest lines beside the file, then in its place.
void replace_file(const std::filesystem::path& path, const std::vector<std::string>& entries) {
  std::string text;
  for (const std::string& entry : entries) text += history_line(entry);
  std::string beside = path.string() + ".XXXXXX";
  const int file = ::mkostemp(beside.data(), O_CLOEXEC); // 0600
  if (file < 0) return;
  const bool written = write_once(file, text);
  ::close(file);
  if (!written || ::rename(beside.c_str(), path.c_str()) != 0) ::unlink(beside.c_str());
}

} // namespace

std::vector<std::string> parse_history(std::string_view text) {
  std::vector<std::string> entries;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.size() > 2 * max_history_entry_bytes) continue;
    if (end_of_utf8_run(line, 0, true) != line.size()) continue;
    std::string entry;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool escaped = line[i] == '\\' && i + 1 < line.size();
      if (escaped) ++i;
      entry += escaped && line[i] == 'n' ? '\n' : line[i];
    }
    if (entry.size() <= max_history_entry_bytes) entries.push_back(std::move(entry));
  }
  if (entries.size() > max_history_entries)
    entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(max_history_entries));
  return entries;
}

std::string history_line(std::string_view entry) {
  std::string line;
  for (const char c : entry) {
    if (c == '\n') line += "\\n";
    else if (c == '\\') line += "\\\\";
    else line += c;
  }
  return line + "\n";
}

History::History(std::filesystem::path file) : file_(std::move(file)) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(*file_, ignored)) return;
  const int opened = ::open(file_->c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return;
  entries_ = parse_history(read_whole(opened));
  ::close(opened);
}

void History::add(const std::string& entry) {
  if (entry.empty() || (!entries_.empty() && entries_.back() == entry)) return;
  entries_.push_back(entry);
  if (entries_.size() > max_history_entries) entries_.erase(entries_.begin());
  if (file_ && entry.size() <= max_history_entry_bytes) append_to_file(entry);
}

void History::append_to_file(const std::string& entry) const {
  std::error_code ignored;
  if (!std::filesystem::exists(file_->parent_path(), ignored)) {
    std::filesystem::create_directories(file_->parent_path(), ignored);
    ::chmod(file_->parent_path().c_str(), 0700);
  }
  const LockedFile file(*file_);
  if (file.number() < 0) return;
  const std::string text = read_whole(file.number());
  std::vector<std::string> entries = parse_history(text);
  const bool ends_line = text.empty() || text.back() == '\n';
  if (entries.size() < max_history_entries && !(text.empty() && ::lseek(file.number(), 0, SEEK_END) > 0)) {
    write_once(file.number(), (ends_line ? "" : "\n") + history_line(entry));
    return;
  }
  entries.push_back(entry);
  if (entries.size() > max_history_entries) entries.erase(entries.begin());
  replace_file(*file_, entries);
}

std::optional<std::filesystem::path> history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state && *state == '/') return std::filesystem::path(state) / "kern" / "history";
  const char* home = std::getenv("HOME");
  if (!home || *home != '/') return std::nullopt;
  return std::filesystem::path(home) / ".local" / "state" / "kern" / "history";
}

} // namespace kern
