// A block's barriers in shared memory and the copies in one piece that they count, for grid.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

namespace kern::test {

class BlockBarriers {
public:
  /// Copies are made at once, or when complete_copy() is called; then the newest first, or the oldest.
  BlockBarriers(bool late, bool newest_first) : late_(late), newest_first_(newest_first) {}

  /// For a block with this shared memory.
  void reset(std::byte* shared, std::size_t bytes) {
    barriers_.clear();
    copies_.clear();
    shared_ = shared;
    shared_bytes_ = bytes;
  }

  // These return what is wrong, or null.
  const char* init(std::uint64_t* barrier, unsigned arrivals) {
    if (!inside(barrier, sizeof *barrier, alignof(std::uint64_t))) return " makes a barrier outside shared memory";
    if (arrivals == 0 || barriers_.contains(barrier)) return " makes a barrier twice, or one that counts nothing";
    barriers_[barrier] = {arrivals, arrivals, 0, 0};
    return nullptr;
  }
  const char* arrive(std::uint64_t* barrier, unsigned bytes) {
    const auto found = barriers_.find(barrier);
    if (found == barriers_.end()) return " arrives at a barrier that isn't made";
    Barrier& state = found->second;
    if (state.missing == 0) return " arrives where all have arrived";
    --state.missing;
    state.bytes += bytes;
    end_phase(state);
    return nullptr;
  }
  const char* copy(void* to, const void* from, unsigned bytes, std::uint64_t* barrier) {
    if (!barriers_.contains(barrier)) return " copies with a barrier that isn't made";
    if (bytes == 0 || bytes % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0 || !inside(to, bytes, 16))
      return " copies nothing, what isn't aligned, or past its shared memory";
    copies_.push_back({to, from, bytes, barrier});
    if (!late_) complete_copy();
    return nullptr;
  }

  /// Whether a thread that waits for the end of a phase may go on.
  bool has_ended(std::uint64_t* barrier, unsigned parity) const {
    const auto found = barriers_.find(barrier);
    return found != barriers_.end() && found->second.phase % 2 != parity;
  }
  bool has(std::uint64_t* barrier) const { return barriers_.contains(barrier); }
  /// Makes one copy; false where none is left.
  bool complete_copy() {
    if (copies_.empty()) return false;
    const auto at = newest_first_ ? copies_.end() - 1 : copies_.begin();
    const Copy copy = *at;
    copies_.erase(at);
    std::memcpy(copy.to, copy.from, copy.bytes);
    Barrier& state = barriers_.at(copy.barrier);
    state.bytes -= copy.bytes;
    end_phase(state);
    return true;
  }
  /// At the block's end: whether all that was expected has come, and nothing else.
  bool all_done() const {
    for (const auto& [at, state] : barriers_)
      if (state.bytes != 0) return false;
    return copies_.empty();
  }

private:
  struct Barrier {
    unsigned arrivals = 0, missing = 0; // of a phase
    std::int64_t bytes = 0;             // expected that haven't come
    unsigned phase = 0;
  };
  struct Copy {
    void* to;
    const void* from;
    unsigned bytes;
    std::uint64_t* barrier;
  };

  static void end_phase(Barrier& state) {
    if (state.missing != 0 || state.bytes != 0) return;
    state.missing = state.arrivals;
    ++state.phase;
  }
  bool inside(const void* at, std::size_t bytes, std::size_t alignment) const {
    const auto* begin = static_cast<const std::byte*>(at);
    return begin >= shared_ && begin + bytes <= shared_ + shared_bytes_ &&
           reinterpret_cast<std::uintptr_t>(at) % alignment == 0;
  }

  bool late_, newest_first_;
  std::byte* shared_ = nullptr;
  std::size_t shared_bytes_ = 0;
  std::map<const std::uint64_t*, Barrier> barriers_;
  std::vector<Copy> copies_; // under way
};

} // namespace kern::test
