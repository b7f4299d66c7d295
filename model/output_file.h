// Files that are whole or absent.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace kern {

/// Written beside its name, flushed to the disk, then renamed. Without commit() nothing is left behind.
class OutputFile {
public:
  /// Throws Error(output) where the folder can't be written, or the name is that of something other than a file. A
  /// link stays one: what it points to is replaced.
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Throws Error(output), for example on a full disk.
  void write(std::span<const std::byte> bytes);
  /// Gives the file its name. Throws Error(output).
  void commit();

private:
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path path_;
  std::string temporary_;
  int file_ = -1;
};

} // namespace kern
