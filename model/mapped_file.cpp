#include "model/mapped_file.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "model/error.h"

namespace kern {

namespace {

// The handler may only read lock-free data, so live mappings stand in a fixed table. More parts than entries still
// work; a truncation of those ends in the generic line.
struct LiveMapping {
  std::atomic<const std::byte*> begin{nullptr};
  std::atomic<std::size_t> size{0};
  std::array<char, 512> line{};
};
std::array<LiveMapping, 128> live_mappings;
std::atomic<bool> truncation_reported{false};

void write_line(const char* text) {
  const ssize_t ignored = ::write(STDERR_FILENO, text, std::strlen(text));
  static_cast<void>(ignored);
}

extern "C" void on_bus_error(int, siginfo_t* info, void*) {
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  for (LiveMapping& mapping : live_mappings) {
    const std::byte* begin = mapping.begin.load();
    if (begin && address >= begin && address < begin + mapping.size.load()) {
      // Several threads may read the lost page at once; the first one's line is enough.
      while (truncation_reported.exchange(true)) ::pause();
      write_line(mapping.line.data());
      ::_exit(static_cast<int>(ExitCode::model));
    }
  }
  // Not ours: let it end the process the usual way.
  std::signal(SIGBUS, SIG_DFL);
  std::raise(SIGBUS);
}

void install_handler_once() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    return ::sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  static_cast<void>(installed);
}

void remember(const std::byte* begin, std::size_t size, const std::string& path) {
  install_handler_once();
  for (LiveMapping& mapping : live_mappings) {
    const std::byte* expected = nullptr;
    if (mapping.size.load() != 0 || !mapping.begin.compare_exchange_strong(expected, begin)) continue;
    const std::string line =
        fmt::format("kern: {:.380}: the file became shorter than {} bytes while in use; copy it in again and restart\n",
                    path, size);
    std::memcpy(mapping.line.data(), line.c_str(), std::min(line.size() + 1, mapping.line.size() - 1));
    mapping.size.store(size);
    return;
  }
}

void forget(const std::byte* begin) {
  for (LiveMapping& mapping : live_mappings)
    if (mapping.begin.load() == begin) {
      mapping.size.store(0);
      mapping.begin.store(nullptr);
      return;
    }
}

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw Error(ExitCode::model, fmt::format("{}: {}", path, problem));
}

} // namespace

MappedFile::MappedFile(const std::filesystem::path& path, std::string_view expected) : path_(path.string()) {
  // O_NONBLOCK so that a named pipe is refused below instead of waited for.
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    const int error = errno;
    fail(path_, error == ENOENT ? "no such file; check the path given with -m"
                                : fmt::format("cannot be opened: {}", std::strerror(error)));
  }
  struct stat status {};
  const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  const std::size_t size = regular ? static_cast<std::size_t>(status.st_size) : 0;
  void* address = size ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
  const int error = errno;
  ::close(file);
  if (!regular) fail(path_, fmt::format("is not a regular file; expected {}", expected));
  if (size == 0) fail(path_, fmt::format("is empty; expected {}", expected));
  if (address == MAP_FAILED) fail(path_, fmt::format("cannot be mapped: {}", std::strerror(error)));
  data_ = static_cast<const std::byte*>(address);
  size_ = size;
  remember(data_, size_, path_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    path_ = std::move(other.path_);
  }
  return *this;
}

MappedFile::~MappedFile() { release(); }

void MappedFile::release() noexcept {
  if (!data_) return;
  forget(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
  data_ = nullptr;
}

} // namespace kern
