#include "kernels/cpu/limits.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

#include <sys/mman.h>

#include "kernels/cpu/memory.h"
#include "kernels/cpu/threads.h"

namespace kern {

namespace {

template <class Work> double seconds_of(ThreadPool& pool, Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  pool.run(work);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Bytes a second.
double read_bandwidth(ThreadPool& pool, Backend& memory, const CpuKernels& kernels) {
  constexpr int runs = 3;
  constexpr std::uint64_t unit = 4096; // of a thread's part: whole pages
  const std::uint64_t wanted = std::min<std::uint64_t>(std::uint64_t{1} << 30, available_memory() / 3);
  const std::size_t bytes = std::max(wanted / unit, static_cast<std::uint64_t>(pool.size())) * unit;
  const auto buffer = memory.allocate(bytes);
  ::madvise(buffer->data(), bytes, MADV_HUGEPAGE); // with small pages a core reads at two thirds of this
  const auto part = [&](int thread) {
    const Share share = share_of(static_cast<std::int64_t>(bytes), thread, pool.size(), unit);
    return std::span(buffer->data() + share.begin, static_cast<std::size_t>(share.end - share.begin));
  };
  // Pages that were never written are all the same page of zeros.
  pool.run([&](int thread) { std::memset(part(thread).data(), 1, part(thread).size()); });
  double best = 0.0;
  for (const CacheLevel ahead : {CacheLevel::first, CacheLevel::second})
    for (const int streams : {1, 2, 4})
      for (int run = 0; run < runs; ++run) {
        const double seconds = seconds_of(
            pool, [&](int thread) { kernels.read_memory(part(thread).data(), part(thread).size(), streams, ahead); });
        best = std::max(best, static_cast<double>(bytes) / seconds);
      }
  return best;
}

/// Multiply-adds a second.
double peak(ThreadPool& pool, std::int64_t (*saturate)(std::int64_t rounds)) {
  constexpr int runs = 10;
  constexpr double shortest = 0.01; // seconds of a run, so that starting the threads doesn't count
  std::vector<std::int64_t> done(static_cast<std::size_t>(pool.size()));
  double best = 0.0;
  std::int64_t rounds = 10000;
  for (int run = 0; run < runs;) {
    const double seconds =
        seconds_of(pool, [&](int thread) { done[static_cast<std::size_t>(thread)] = saturate(rounds); });
    if (seconds < shortest) {
      rounds *= 2;
      continue;
    }
    best = std::max(best, static_cast<double>(std::accumulate(done.begin(), done.end(), std::int64_t{0})) / seconds);
    ++run;
  }
  return best;
}

} // namespace

Limits measure_limits(Backend& memory, int threads, const CpuKernels& kernels) {
  ThreadPool pool(threads);
  return {read_bandwidth(pool, memory, kernels), peak(pool, kernels.saturate_int8), peak(pool, kernels.saturate_fp32)};
}

} // namespace kern
