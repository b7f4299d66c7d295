// A fixed set of threads that run one function together and meet at barriers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
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
  void barrier();

private:
  using Function = void (*)(void* context, int thread);

  void run_erased(Function function, void* context);
  void worker(int thread);

  std::vector<std::thread> workers_;
  Function function_ = nullptr;
  void* context_ = nullptr;
  // Each on its own cache line: the counters are written by many, the epochs read by many.
  alignas(64) std::atomic<std::uint32_t> epoch_{0};
  alignas(64) std::atomic<std::uint32_t> running_{0};
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  bool stopping_ = false;
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
