// The rows of a matrix, handed out to the threads of a product.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/threads.h"

namespace kern {

/// Rows that each thread takes first from a matrix that meets one token.
inline std::int64_t first_rows(std::int64_t rows, int threads) {
  return std::max<std::int64_t>(rows / (std::int64_t{2} * threads * chunk_rows), 1) * chunk_rows;
}

/// Where those rows lie: what a thread fetches while it waits for the product.
class FirstRows {
public:
  FirstRows() = default; // none
  FirstRows(const std::byte* data, std::size_t row_bytes, std::int64_t rows, int threads)
      : data_(data), bytes_(static_cast<std::size_t>(rows) * row_bytes),
        thread_bytes_(static_cast<std::size_t>(first_rows(rows, threads)) * row_bytes) {}

  /// As much of a thread's as leaves its second-level cache room for what it works on.
  std::span<const std::byte> of(int thread) const {
    constexpr std::size_t most = std::size_t{512} << 10;
    const std::size_t begin = std::min(thread_bytes_ * static_cast<std::size_t>(thread), bytes_);
    return {data_ + begin, std::min({thread_bytes_, bytes_ - begin, most})};
  }

private:
  const std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t thread_bytes_ = 0;
};

/// The rows of a matrix, handed out to threads. One token: half of them in equal shares, then some panels at a time to
/// whoever is free, because memory serves cores unevenly, and the fewer the nearer the end, so that all end together.
/// Several: a share each, because every share prepares the activations for itself.
class RowQueue {
public:
  /// `at_once`: the most rows of a share that work() gets, a multiple of chunk_rows, or all rows.
  RowQueue(std::int64_t rows, int tokens, int threads, std::int64_t at_once)
      : rows_(rows), threads_(threads), shared_(tokens == 1), at_once_(shared_ ? rows : at_once),
        first_(first_rows(rows, threads)), next_(first_ * threads) {}
  std::int64_t at_once() const { return at_once_; }
  /// Calls work(rows, continues) until there are none left.
  template <class Work> void drain(int thread, Work&& work) {
    if (!shared_) {
      const Share share = share_of(rows_, thread, threads_, chunk_rows);
      for (std::int64_t row = share.begin; row < share.end; row += at_once_)
        work(Share{row, std::min(row + at_once_, share.end)}, row > share.begin);
      return;
    }
    Share rows = {std::min(first_ * thread, rows_), std::min(first_ * (thread + 1), rows_)};
    for (bool continues = false; rows.begin < rows.end; continues = true, rows = take()) work(rows, continues);
  }

private:
  Share take() {
    std::int64_t begin = next_.load(std::memory_order_relaxed);
    std::int64_t end = begin;
    do {
      const std::int64_t chunks = (rows_ - begin) / (std::int64_t{2} * threads_ * chunk_rows);
      end = std::min(begin + std::max<std::int64_t>(chunks, 1) * chunk_rows, rows_);
    } while (begin < end && !next_.compare_exchange_weak(begin, end, std::memory_order_relaxed));
    return {begin, end};
  }

  std::int64_t rows_;
  int threads_;
  bool shared_;
  std::int64_t at_once_;
  std::int64_t first_;
  std::atomic<std::int64_t> next_;
};

} // namespace kern
