#include "kernels/cuda/limits.h"

#include <algorithm>
#include <chrono>

#include "kernels/cuda/device.h"
#include "kernels/cuda/unit_codec.h"

namespace kern::cuda {

namespace {

constexpr unsigned limit_threads = 512;

struct ReadAll {
  const uint4* data;
  std::size_t count; // of 16 bytes
  std::uint32_t* sink;
};

/// Sixteen loads under way in each thread.
__global__ void read_all(ReadAll call) {
  wait_for_inputs();
  constexpr int ahead = 16;
  const std::size_t stride = static_cast<std::size_t>(grid_x()) * limit_threads;
  std::size_t i = static_cast<std::size_t>(block_x()) * limit_threads + static_cast<std::size_t>(thread_index());
  std::uint32_t any = 0;
  for (; i + (ahead - 1) * stride < call.count; i += ahead * stride) {
    uint4 values[ahead];
    KERN_UNROLL
    for (int j = 0; j < ahead; ++j) values[j] = load_once(call.data + i + static_cast<std::size_t>(j) * stride);
    KERN_UNROLL
    for (int j = 0; j < ahead; ++j) any |= values[j].x ^ values[j].y ^ values[j].z ^ values[j].w;
  }
  if (any == 1u) call.sink[0] = any; // never: memory holds zeros
}

struct Saturate {
  int rounds;
  std::uint32_t* sink;
};

/// Chains of operations that each wait for the one before: a thread has `count` of them. Products of a warp on tensor
/// cores, and scalar operations.
template <class Sum, void (*multiply)(Sum (&)[4], const std::uint32_t (&)[4], const std::uint32_t (&)[2])>
struct ProductChain {
  static constexpr int count = 8;
  Sum sums[4] = {};

  KERN_DEVICE void step() {
    const auto seed = static_cast<std::uint32_t>(thread_index());
    const std::uint32_t a[4] = {seed, seed + 1, seed + 2, seed + 3};
    const std::uint32_t b[2] = {seed, seed + 5};
    multiply(sums, a, b);
  }
  KERN_DEVICE float result() const { return static_cast<float>(sums[0] + sums[1] + sums[2] + sums[3]); }
};
struct FusedChain {
  static constexpr int count = 16;
  float sum = static_cast<float>(thread_index());

  KERN_DEVICE void step() { sum = fused(sum, 0.999f, 0.5f); }
  KERN_DEVICE float result() const { return sum; }
};

template <class Chain> __global__ void saturate(Saturate call) {
  wait_for_inputs();
  Chain chains[Chain::count];
  KERN_NO_UNROLL
  for (int round = 0; round < call.rounds; ++round) {
    KERN_UNROLL
    for (int c = 0; c < Chain::count; ++c) chains[c].step();
  }
  float total = 0.0f;
  for (int c = 0; c < Chain::count; ++c) total += chains[c].result();
  if (total == -1.0f) call.sink[0] = 1;
}

/// Seconds of the fastest of five runs, after one to warm up.
template <class Run> double best_seconds(Device& device, Run&& run) {
  double best = 1e9;
  for (int i = 0; i < 6; ++i) {
    device.synchronize();
    const auto begin = std::chrono::steady_clock::now();
    run();
    device.synchronize();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (i > 0) best = std::min(best, seconds);
  }
  return best;
}

/// Device memory for the time of a measurement.
class Room {
public:
  Room(Device& device, std::size_t bytes) : device_(device), data_(device.allocate(bytes)) {
    device.clear(data_, bytes);
  }
  ~Room() { device_.release(data_); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  std::byte* data() const { return data_; }

private:
  Device& device_;
  std::byte* data_;
};

} // namespace

Limits measure_limits(Device& device) {
  const std::size_t bytes =
      std::min<std::size_t>(std::size_t{1} << 30, device.free_bytes() / 2) / (std::size_t{1} << 20) << 20;
  const Room room(device, bytes + 256);
  auto* sink = reinterpret_cast<std::uint32_t*>(room.data() + bytes);
  const auto blocks = static_cast<unsigned>(device.info().multiprocessors) * 4;
  // Whole passes of the grid: what is left over at the end isn't read, and isn't counted.
  const std::size_t pass = std::size_t{blocks} * limit_threads * 16 * 16;
  const std::size_t read = bytes / pass * pass;
  Limits limits;
  const auto per_second = [](double amount, double seconds) { return amount / seconds; };
  limits.read_bytes = per_second(static_cast<double>(read), best_seconds(device, [&] {
                                   launch(device, read_all, {blocks}, limit_threads, 0,
                                          ReadAll{reinterpret_cast<const uint4*>(room.data()), read / 16, sink});
                                 }));
  // Some milliseconds on any device.
  constexpr int rounds = 4096;
  const double warps = static_cast<double>(blocks) * limit_threads / 32;
  const auto chains = [&]<class Chain>(Chain, double multiply_adds) { // of a warp's step
    return per_second(warps * rounds * Chain::count * multiply_adds, best_seconds(device, [&] {
                        launch(device, saturate<Chain>, {blocks}, limit_threads, 0, Saturate{rounds, sink});
                      }));
  };
  limits.int8_multiply_adds = chains(ProductChain<int, multiply_bytes>{}, 16 * 8 * 32);
  limits.fp32_multiply_adds = chains(FusedChain{}, 32);
  limits.half_multiply_adds = chains(ProductChain<float, multiply_halves>{}, 16 * 8 * 16);
  return limits;
}

} // namespace kern::cuda
