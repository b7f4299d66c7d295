// A fixed set of threads that run one function together and meet at barriers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <thread>
#include <vector>

namespace kern {

/// Waiting threads spin for some microseconds, then sleep in the kernel: a decode step has a barrier every few
/// microseconds, while an idle session must not burn a core.
class ThreadPool {
public:
  /// `threads` >= 1 counts the caller's.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls work(thread) for thread 0..size-1, each on its own thread, and returns when all have. `work` must not throw.
  template <class Work> void run(Work&& work) {
    using Type = std::remove_reference_t<Work>;
    run_erased([](void* context, int thread) { (*static_cast<Type*>(context))(thread); },
               const_cast<std::remove_const_t<Type>*>(&work));
  }

  /// Called by every thread from within run(): returns when all have called it.
  void barrier(int thread);

  /// Called by a thread from within run(): what it brings into its second-level cache whenever it waits, from now on.
  /// Goes on where it stopped where that has the same beginning. A hint: the bytes are never read.
  void read_ahead(int thread, std::span<const std::byte> bytes);

private:
  using Function = void (*)(void* context, int thread);

  /// What one thread is still to fetch while it waits; only that thread looks at it.
  struct alignas(64) ReadAhead {
    const std::byte* begin = nullptr;
    const std::byte* at = nullptr;
    const std::byte* end = nullptr;

    bool fetch();
  };

  void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old, int thread);
  void wake_sleepers(std::atomic<std::uint32_t>& value);
  void run_erased(Function function, void* context);
  void worker(int thread);

  std::vector<std::thread> workers_;
  std::vector<ReadAhead> ahead_;
  // Two cache lines: one that waiting threads look at, and one that each thread writes when it is done. Weights that
  // stream by displace both, and every line more is a wait for memory.
  alignas(64) std::atomic<std::uint32_t> epoch_{0}; // run() calls
  std::atomic<std::uint32_t> generation_{0};        // barriers
  std::atomic<std::uint32_t> sleepers_{0};
  bool stopping_ = false;
  Function function_ = nullptr;
  void* context_ = nullptr;
  alignas(64) std::atomic<std::uint32_t> running_{0}; // workers that aren't done
  std::atomic<std::uint32_t> arrived_{0};             // threads at the barrier
};

/// Contiguous share [begin, end) of `total` items for a thread, in multiples of `unit` but for the last.
struct Share {
  std::int64_t begin;
  std::int64_t end;
};
Share share_of(std::int64_t total, int thread, int threads, std::int64_t unit = 1);

/// Threads this process may use: the affinity mask and the cgroup's CPU quota.
int available_threads();

} // namespace kern
