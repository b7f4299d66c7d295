// Writing GGUF files (version 3, little-endian).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/metadata.h"
#include "quant/format_id.h"

namespace kern {

/// Collects metadata and tensors, then writes them with contiguous offsets in directory order. Keys and tensors stand
/// in the order they were added. Tensor data is referenced until the file is written.
class GgufWriter {
public:
  void add(std::string_view key, std::uint32_t value) { scalar(key, MetadataType::u32, value); }
  void add(std::string_view key, std::int32_t value) { scalar(key, MetadataType::i32, value); }
  void add(std::string_view key, std::uint64_t value) { scalar(key, MetadataType::u64, value); }
  void add(std::string_view key, float value) { scalar(key, MetadataType::f32, value); }
  void add(std::string_view key, bool value) { scalar(key, MetadataType::boolean, static_cast<std::uint8_t>(value)); }
  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add(std::string_view key, const std::vector<std::string>& values);
  void add(std::string_view key, const std::vector<float>& values) {
    array(key, MetadataType::f32, std::as_bytes(std::span(values)), values.size());
  }
  void add(std::string_view key, const std::vector<std::int32_t>& values) {
    array(key, MetadataType::i32, std::as_bytes(std::span(values)), values.size());
  }
  /// A value as another file holds it.
  void add(std::string_view key, const MetadataValue& value);

  /// shape: fastest dimension first, [columns, rows, ...]. `data` must have the bytes that shape and format need.
  void add_tensor(std::string name, Format format, std::vector<std::uint64_t> shape, std::span<const std::byte> data);

  /// The same for data made as it is written: `produce` hands all its bytes, in order, to the sink it is given. Called
  /// once for every write() or bytes().
  using Sink = std::function<void(std::span<const std::byte>)>;
  void add_tensor(std::string name, Format format, std::vector<std::uint64_t> shape,
                  std::function<void(const Sink&)> produce);

  /// Writes a file that is whole or absent. Throws Error(output).
  void write(const std::filesystem::path& path) const;
  /// The same in memory.
  std::vector<std::byte> bytes() const;

private:
  struct Tensor {
    std::string name;
    Format format;
    std::vector<std::uint64_t> shape;
    std::uint64_t bytes;
    std::function<void(const Sink&)> produce;
  };

  template <class T> void scalar(std::string_view key, MetadataType type, T value) {
    begin(key, type);
    put(value);
  }
  template <class T> void put(T value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    metadata_.insert(metadata_.end(), bytes.begin(), bytes.end());
  }
  void begin(std::string_view key, MetadataType type);
  void text(std::string_view value);
  void array(std::string_view key, MetadataType type, std::span<const std::byte> elements, std::size_t count);
  void emit(const Sink& sink) const;

  std::vector<std::byte> metadata_;
  std::uint64_t keys_ = 0;
  std::vector<Tensor> tensors_;
};

} // namespace kern
