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

/// A matrix in memory. Interleaved or not, 16 rows from a multiple of 16 on take 16 * row_bytes.
struct MatrixRows {
  const std::byte* data = nullptr;
  std::size_t row_bytes = 0;
  std::int64_t rows = 0;
  std::int64_t at_once = rows; // of several tokens' share: a multiple of chunk_rows, or all

  std::size_t bytes() const { return static_cast<std::size_t>(rows) * row_bytes; }
};

/// Rows that each thread takes first from a matrix that meets one token. All of a small matrix: the same thread finds
/// them in its cache again by the next token (demo model: 3885 -> 4530 tokens/s), and there is little to even out. Half
/// of a large one.
inline std::int64_t first_rows(const MatrixRows& matrix, int threads) {
  constexpr std::size_t small = std::size_t{256} << 10;
  const std::int64_t chunks = (matrix.rows + chunk_rows - 1) / chunk_rows;
  const std::int64_t each = matrix.bytes() <= small * static_cast<std::size_t>(threads)
                                ? (chunks + threads - 1) / threads
                                : chunks / (std::int64_t{2} * threads);
  return std::max<std::int64_t>(each, 1) * chunk_rows;
}

/// Where those rows lie: what a thread fetches while it waits for the product.
class FirstRows {
public:
  FirstRows() = default; // none
  FirstRows(const MatrixRows& matrix, int threads)
      : data_(matrix.data), bytes_(matrix.bytes()),
        thread_bytes_(static_cast<std::size_t>(first_rows(matrix, threads)) * matrix.row_bytes) {}

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

/// The rows of a matrix, handed out to threads. One token: the first ones, then some panels at a time to whoever is
/// free, because memory serves cores unevenly, and the fewer the nearer the end, so that all end together. Several: a
/// share each, because every share prepares the activations for itself.
class RowQueue {
public:
  RowQueue(const MatrixRows& matrix, int tokens, int threads)
      : rows_(matrix.rows), threads_(threads), shared_(tokens == 1), at_once_(shared_ ? matrix.rows : matrix.at_once),
        first_(first_rows(matrix, threads)), next_(first_ * threads) {}
  /// The most rows that work() gets.
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
