// Metadata made in code, as if it had been read from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "model/metadata.h"

namespace kern::test {

/// Owns the texts and arrays that the metadata points to.
class MetadataBuilder {
public:
  explicit MetadataBuilder(std::string source = "test.gguf") : metadata_(std::move(source)) {}

  MetadataBuilder& text(std::string_view key, std::string_view value) {
    metadata_.insert(key, {MetadataType::string, std::string_view(keep(std::string(value)))});
    return *this;
  }
  MetadataBuilder& number(std::string_view key, std::uint64_t value) {
    metadata_.insert(key, {MetadataType::u32, value});
    return *this;
  }
  MetadataBuilder& signed_number(std::string_view key, std::int64_t value) {
    metadata_.insert(key, {MetadataType::i32, value});
    return *this;
  }
  MetadataBuilder& flag(std::string_view key, bool value) {
    metadata_.insert(key, {MetadataType::boolean, value});
    return *this;
  }
  MetadataBuilder& texts(std::string_view key, const std::vector<std::string>& values) {
    std::string bytes;
    for (const std::string& value : values) {
      const std::uint64_t size = value.size();
      bytes.append(reinterpret_cast<const char*>(&size), sizeof(size)).append(value);
    }
    return array(key, MetadataType::string, values.size(), std::move(bytes));
  }
  MetadataBuilder& floats(std::string_view key, const std::vector<float>& values) {
    return array(key, MetadataType::f32, values.size(), raw(values));
  }
  MetadataBuilder& ints(std::string_view key, const std::vector<std::int32_t>& values) {
    return array(key, MetadataType::i32, values.size(), raw(values));
  }

  MetadataBuilder& bytes(std::string_view key, std::string_view values) {
    return array(key, MetadataType::u8, values.size(), std::string(values));
  }

  const Metadata& metadata() const { return metadata_; }

private:
  template <class T> static std::string raw(const std::vector<T>& values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  const std::string& keep(std::string bytes) { return kept_.emplace_back(std::move(bytes)); }
  MetadataBuilder& array(std::string_view key, MetadataType type, std::size_t count, std::string bytes) {
    const std::string& kept = keep(std::move(bytes));
    const auto* data = reinterpret_cast<const std::byte*>(kept.data());
    metadata_.insert(key, {MetadataType::array, MetadataArray{type, count, {data, kept.size()}}});
    return *this;
  }

  std::deque<std::string> kept_;
  Metadata metadata_;
};

} // namespace kern::test
