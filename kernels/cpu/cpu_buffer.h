// Memory of the CPU backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <sys/mman.h>

#include "kernels/backend.h"

namespace kern {

/// Anonymous pages straight from the system: zero, and resident only where touched. Large ones where they fit: pages of
/// the KV cache of one layer lie far apart, each on several small pages of the system (with reading ahead a chunk,
/// which came with it, attention at position 4096 went from 11.2 to 9.8 ms a token), and a core reads small ones at two
/// thirds of its bandwidth.
class CpuBuffer final : public Buffer {
public:
  /// Throws std::bad_alloc.
  explicit CpuBuffer(std::size_t bytes)
      : bytes_(bytes), mapped_bytes_(bytes < large_page ? bytes : bytes + large_page) {
    if (bytes == 0) return;
    mapped_ = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(mapped_);
    if (bytes < large_page) return;
    data_ += (large_page - reinterpret_cast<std::uintptr_t>(data_) % large_page) % large_page;
    ::madvise(data_, bytes, MADV_HUGEPAGE);
  }
  ~CpuBuffer() override {
    if (data_) ::munmap(mapped_, mapped_bytes_);
  }
  std::byte* data() override { return data_; }
  std::size_t bytes() const override { return bytes_; }

private:
  static constexpr std::size_t large_page = std::size_t{2} << 20;
  void* mapped_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t bytes_;
  std::size_t mapped_bytes_;
};

} // namespace kern
