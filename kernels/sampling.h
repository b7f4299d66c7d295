// What a backend can draw a token by.
#pragma once

#include <cstdint>

namespace kern {

/// The most candidates that a device draws from.
inline constexpr int most_top_k = 1024;

/// Steps of a sampler (engine/samplers/options.h) in their default order: top-k, top-p, min-p, temperature.
struct SamplingChain {
  std::uint64_t seed = 0;
  float temperature = 0.0f; // 0: the most likely token
  int top_k = 0;
  float top_p = 1.0f; // 1: off
  float min_p = 0.0f; // 0: off

  /// Others are the host's: without a top-k, probabilities are sums over the whole vocabulary in one order.
  bool runs_on_device() const { return temperature <= 0.0f || (top_k >= 1 && top_k <= most_top_k); }
};

} // namespace kern
