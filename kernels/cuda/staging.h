// Copies between host and device through a few pieces of pinned memory, used again and again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace kern::cuda {

/// The host fills one piece while the device still reads another.
class Staging {
public:
  explicit Staging(Device& device) : device_(device) {}
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /// Enqueues a copy of `bytes`, which may be changed afterwards.
  void upload(const void* from, std::byte* to, std::size_t bytes);
  /// Room for `bytes` that the caller fills, then hands to send().
  std::byte* room(std::size_t bytes);
  /// Enqueues the copy of what the last room() gave.
  void send(std::byte* to, std::size_t bytes);
  /// Waits for everything enqueued before, then copies to the host.
  void read(const std::byte* from, void* to, std::size_t bytes);

private:
  struct Piece {
    std::byte* memory = nullptr;
    std::size_t size = 0;
    std::size_t used = 0;
    std::uint64_t marker = 0; // after which it may be filled again
  };

  static constexpr std::size_t piece_bytes = std::size_t{4} << 20;
  Device& device_;
  std::array<Piece, 3> pieces_;
  std::size_t current_ = 0;
  std::size_t last_ = 0; // offset of what room() gave
};

} // namespace kern::cuda
