// Bounds-checked reading of little-endian bytes from outside.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "model/error.h"

namespace kern {

static_assert(std::endian::native == std::endian::little, "kern reads its files on little-endian machines");

/// Walks over bytes that may lie. Every read checks what is left first; errors say where.
class Cursor {
public:
  Cursor(std::span<const std::byte> bytes, std::string source) : bytes_(bytes), source_(std::move(source)) {}

  std::size_t offset() const { return offset_; }
  std::size_t left() const { return bytes_.size() - offset_; }

  /// A number of plain type T. `what` names it in the error.
  template <class T> T read(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  /// `count` raw bytes.
  std::span<const std::byte> take(std::uint64_t count, std::string_view what) {
    if (count > left())
      fail(fmt::format("{} needs {} bytes, but the file ends after {}; it is truncated or damaged, fetch it again",
                       what, count, left()));
    const auto part = bytes_.subspan(offset_, static_cast<std::size_t>(count));
    offset_ += static_cast<std::size_t>(count);
    return part;
  }

  /// Text with a 64-bit length before it.
  std::string_view text(std::string_view what) {
    const auto length = read<std::uint64_t>(what);
    const auto part = take(length, what);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  /// Throws Error(model) "FILE: offset N: PROBLEM".
  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(ExitCode::model, fmt::format("{}: offset {}: {}", source_, offset_, problem));
  }

private:
  std::span<const std::byte> bytes_;
  std::string source_;
  std::size_t offset_ = 0;
};

} // namespace kern
