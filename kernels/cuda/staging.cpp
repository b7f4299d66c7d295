#include "kernels/cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace kern::cuda {

Staging::~Staging() {
  for (Piece& piece : pieces_)
    if (piece.memory) device_.release_pinned(piece.memory);
}

std::byte* Staging::room(std::size_t bytes) {
  Piece* piece = &pieces_[current_];
  if (piece->used + bytes > piece->size) {
    if (piece->used > 0) {
      piece->marker = device_.mark();
      current_ = (current_ + 1) % pieces_.size();
      piece = &pieces_[current_];
      device_.wait(piece->marker);
      piece->used = 0;
    }
    if (bytes > piece->size) {
      if (piece->memory) device_.release_pinned(std::exchange(piece->memory, nullptr));
      piece->size = 0;
      const std::size_t size = std::max(bytes, piece_bytes);
      piece->memory = device_.allocate_pinned(size);
      piece->size = size;
    }
  }
  last_ = piece->used;
  piece->used += (bytes + 63) / 64 * 64;
  return piece->memory + last_;
}

void Staging::send(std::byte* to, std::size_t bytes) {
  if (bytes) device_.copy_in(pieces_[current_].memory + last_, to, bytes);
}

void Staging::upload(const void* from, std::byte* to, std::size_t bytes) {
  const auto* source = static_cast<const std::byte*>(from);
  while (bytes > 0) {
    const std::size_t count = std::min(bytes, piece_bytes);
    std::memcpy(room(count), source, count);
    send(to, count);
    source += count;
    to += count;
    bytes -= count;
  }
}

void Staging::read(const std::byte* from, void* to, std::size_t bytes) {
  auto* target = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const std::size_t count = std::min(bytes, piece_bytes);
    std::byte* pinned = room(count);
    device_.copy_out(from, pinned, count);
    device_.synchronize();
    std::memcpy(target, pinned, count);
    from += count;
    target += count;
    bytes -= count;
  }
}

} // namespace kern::cuda
