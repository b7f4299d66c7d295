// Rows of a tensor that don't lie in a file as they are needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kern {

class RowReader {
public:
  virtual ~RowReader() = default;

  /// Rows [begin, begin + count), in the tensor's format, into out [count, bytes of a row]. Several threads may call it
  /// at once.
  virtual void read(std::int64_t begin, std::int64_t count, std::byte* out) const = 0;

  /// What it reads from, so that mapped pages can be given back once the tensor is done.
  virtual std::vector<std::span<const std::byte>> sources() const = 0;
};

} // namespace kern
