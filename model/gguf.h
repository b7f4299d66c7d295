// GGUF files: metadata and a directory of tensors, mapped and never copied.
// Format: ggml-org/ggml docs/gguf.md (versions 2 and 3, little-endian).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/mapped_file.h"
#include "model/metadata.h"
#include "quant/formats.h"

namespace kern {

class RowReader;

/// One entry of the tensor directory.
struct TensorInfo {
  std::string name;
  Format format{};
  int rank = 0;                                   // 1..4
  std::array<std::uint64_t, 4> shape{1, 1, 1, 1}; // fastest dimension first, as in the file: [columns, rows, ...]
  std::uint64_t offset = 0;                       // bytes from the start of its file
  std::span<const std::byte> bytes;               // the data, in the file's layout
  const RowReader* reader = nullptr;              // what makes the rows where there are no such bytes

  std::uint64_t columns() const { return shape[0]; }
  std::uint64_t rows() const { return shape[1] * shape[2] * shape[3]; }
  std::uint64_t elements() const { return columns() * rows(); }
};

/// A model file, or the parts of a split one. Every length is checked before it is used: what a file claims is never
/// allocated, only what it holds. Throws Error(model) with file, offset or key, found, expected and remedy.
class Gguf {
public:
  /// Opens a file; for the first part of a split file (NAME-00001-of-0000N.gguf), the other parts beside it too.
  static Gguf open(const std::filesystem::path& path);
  /// Reads from memory that outlives the result; `name` stands in messages.
  static Gguf parse(std::span<const std::byte> bytes, const std::string& name);

  const Metadata& metadata() const { return metadata_; }
  /// In directory order, part by part.
  std::span<const TensorInfo> tensors() const { return tensors_; }
  /// Null where there is none.
  const TensorInfo* find(std::string_view name) const;
  /// Puts other bytes, which outlive the result, in a tensor's place, in a format of theirs: for trying formats out.
  /// The tensor must exist and the bytes be as many as its shape needs.
  void replace(std::string_view name, Format format, std::span<const std::byte> bytes);
  const std::string& name() const { return name_; }
  std::uint32_t version() const { return version_; }
  /// Whether the tensors lie in mapped files rather than in memory that was given.
  bool mapped() const { return !files_.empty(); }
  /// All parts together.
  std::uint64_t file_bytes() const { return file_bytes_; }

private:
  void read_part(std::span<const std::byte> bytes, const std::string& name, std::uint64_t part);

  std::string name_;
  std::uint32_t version_ = 0;
  std::uint64_t file_bytes_ = 0;
  Metadata metadata_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::vector<MappedFile> files_;
};

} // namespace kern
