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

/// Eight independent products of a warp at a time.
__global__ void saturate_int8(Saturate call) {
  wait_for_inputs();
  constexpr int chains = 8;
  int sums[chains][4] = {};
  const auto seed = static_cast<std::uint32_t>(thread_index());
  const std::uint32_t a[4] = {seed, seed + 1, seed + 2, seed + 3};
  const std::uint32_t b[2] = {seed, seed + 5};
  KERN_NO_UNROLL
  for (int round = 0; round < call.rounds; ++round) {
    KERN_UNROLL
    for (int c = 0; c < chains; ++c) multiply_bytes(sums[c], a, b);
  }
  int total = 0;
  for (int c = 0; c < chains; ++c) total ^= sums[c][0] ^ sums[c][1] ^ sums[c][2] ^ sums[c][3];
  if (total == 0x12345679) call.sink[0] = 1;
}

__global__ void saturate_halves(Saturate call) {
  wait_for_inputs();
  constexpr int chains = 8;
  float sums[chains][4] = {};
  const auto seed = static_cast<std::uint32_t>(thread_index());
  const std::uint32_t a[4] = {seed, seed + 1, seed + 2, seed + 3};
  const std::uint32_t b[2] = {seed, seed + 5};
  KERN_NO_UNROLL
  for (int round = 0; round < call.rounds; ++round) {
    KERN_UNROLL
    for (int c = 0; c < chains; ++c) multiply_halves(sums[c], a, b);
  }
  float total = 0.0f;
  for (int c = 0; c < chains; ++c) total += sums[c][0] + sums[c][1] + sums[c][2] + sums[c][3];
  if (total == -1.0f) call.sink[0] = 1;
}

/// Sixteen independent sums in each thread.
__global__ void saturate_fp32(Saturate call) {
  wait_for_inputs();
  constexpr int chains = 16;
  float sums[chains];
  KERN_UNROLL
  for (int c = 0; c < chains; ++c) sums[c] = static_cast<float>(thread_index() + c);
  KERN_NO_UNROLL
  for (int round = 0; round < call.rounds; ++round) {
    KERN_UNROLL
    for (int c = 0; c < chains; ++c) sums[c] = fused(sums[c], 0.999f, 0.5f);
  }
  float total = 0.0f;
  for (int c = 0; c < chains; ++c) total += sums[c];
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
  limits.int8_multiply_adds =
      per_second(warps * rounds * 8 * (16 * 8 * 32), best_seconds(device, [&] {
                   launch(device, saturate_int8, {blocks}, limit_threads, 0, Saturate{rounds, sink});
                 }));
  limits.fp32_multiply_adds =
      per_second(warps * 32 * rounds * 16, best_seconds(device, [&] {
                   launch(device, saturate_fp32, {blocks}, limit_threads, 0, Saturate{rounds, sink});
                 }));
  limits.half_multiply_adds =
      per_second(warps * rounds * 8 * (16 * 8 * 16), best_seconds(device, [&] {
                   launch(device, saturate_halves, {blocks}, limit_threads, 0, Saturate{rounds, sink});
                 }));
  return limits;
}

} // namespace kern::cuda
