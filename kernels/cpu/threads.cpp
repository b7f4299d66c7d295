#include "kernels/cpu/threads.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <sched.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kern {

namespace {

// About 50 us on a 2.5 GHz core: longer than any gap within a decode step, shorter than a scheduler's time slice.
constexpr int spin_limit = 4000;

void pause_core() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

} // namespace

bool ThreadPool::ReadAhead::fetch() {
  constexpr int lines = 8;
  for (int i = 0; i < lines; ++i, at += 64) {
    if (at >= end) return false;
    __builtin_prefetch(at, 0, 2);
  }
  return true;
}

/// Returns when `value` no longer equals `old`.
void ThreadPool::wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old, int thread) {
  ReadAhead& ahead = ahead_[static_cast<std::size_t>(thread)];
  for (int i = 0; i < spin_limit; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    if (!ahead.fetch()) pause_core();
  }
  sleepers_.fetch_add(1);
  while (value.load() == old) value.wait(old);
  sleepers_.fetch_sub(1);
}

/// To be called after `value` changed. Either it sees the sleeper, or the sleeper sees the change: both happen in the
/// one order of all sequentially consistent operations.
void ThreadPool::wake_sleepers(std::atomic<std::uint32_t>& value) {
  if (sleepers_.load() != 0) value.notify_all();
}

void ThreadPool::read_ahead(int thread, std::span<const std::byte> bytes) {
  ReadAhead& ahead = ahead_[static_cast<std::size_t>(thread)];
  if (ahead.begin == bytes.data()) return;
  ahead = {bytes.data(), bytes.data(), bytes.data() + bytes.size()};
}

ThreadPool::ThreadPool(int threads) : ahead_(static_cast<std::size_t>(threads)) {
  workers_.reserve(static_cast<std::size_t>(std::max(threads - 1, 0)));
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { worker(i); });
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  epoch_.fetch_add(1);
  wake_sleepers(epoch_);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_erased(Function function, void* context) {
  if (workers_.empty()) return function(context, 0);
  function_ = function;
  context_ = context;
  running_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1);
  wake_sleepers(epoch_);
  function(context, 0);
  for (std::uint32_t left = running_.load(std::memory_order_acquire); left != 0;
       left = running_.load(std::memory_order_acquire))
    wait_for_change(running_, left, 0);
}

void ThreadPool::worker(int thread) {
  std::uint32_t seen = 0;
  for (;;) {
    wait_for_change(epoch_, seen, thread);
    seen += 1;
    if (stopping_) return;
    function_(context_, thread);
    if (running_.fetch_sub(1) == 1) wake_sleepers(running_);
  }
}

void ThreadPool::barrier(int thread) {
  if (workers_.empty()) return;
  const std::uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == workers_.size()) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1);
    wake_sleepers(generation_);
  } else {
    wait_for_change(generation_, generation, thread);
  }
}

Share share_of(std::int64_t total, int thread, int threads, std::int64_t unit) {
  const std::int64_t units = (total + unit - 1) / unit;
  const std::int64_t begin = units * thread / threads * unit;
  const std::int64_t end = units * (thread + 1) / threads * unit;
  return {std::min(begin, total), std::min(end, total)};
}

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int threads = 1;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) threads = CPU_COUNT(&set);
  else threads = static_cast<int>(std::thread::hardware_concurrency());
  // cgroup v2: "QUOTA PERIOD" in microseconds, or "max PERIOD"; v1: two files.
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0) {
    threads = std::min(threads, static_cast<int>(std::stod(quota) / period + 0.999));
  } else {
    double quota_us = -1;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota_us;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
    if (quota_us > 0 && period > 0) threads = std::min(threads, static_cast<int>(quota_us / period + 0.999));
  }
  return std::max(threads, 1);
}

} // namespace kern
