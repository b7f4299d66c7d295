// A file mapped read-only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace kern {

/// Maps a whole file read-only and shared. A file that another process shortens while it is mapped would kill a reader
/// with SIGBUS; the first mapping installs a handler that instead ends the process with one line on standard error and
/// exit code 3. Movable, not copyable.
class MappedFile {
public:
  MappedFile() = default;
  /// `expected` says what the file should be, for messages. Throws Error(model) where it can't be opened, isn't a
  /// regular file, or is empty.
  explicit MappedFile(const std::filesystem::path& path, std::string_view expected = "a GGUF model file");
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

private:
  void release() noexcept;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::string path_;
};

} // namespace kern
