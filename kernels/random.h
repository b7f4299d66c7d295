// Random numbers as a function of (seed, position): no state to save, the same on every machine.
#pragma once

#include <cstdint>

#include "quant/half.h"

namespace kern {

struct PhiloxCounter {
  std::uint32_t words[4];
  bool operator==(const PhiloxCounter&) const = default;
};

/// Philox 4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3; SC 2011).
KERN_INLINE PhiloxCounter philox(PhiloxCounter counter, std::uint32_t key_a, std::uint32_t key_b) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter.words[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter.words[2];
    counter = {{static_cast<std::uint32_t>(b >> 32) ^ counter.words[1] ^ key_a, static_cast<std::uint32_t>(b),
                static_cast<std::uint32_t>(a >> 32) ^ counter.words[3] ^ key_b, static_cast<std::uint32_t>(a)}};
    key_a += 0x9E3779B9;
    key_b += 0xBB67AE85;
  }
  return counter;
}

/// Uniform in [0, 1), a multiple of 2^-53. Numbers of different streams are independent.
KERN_INLINE double uniform(std::uint64_t seed, std::uint64_t position, std::uint32_t stream = 0) {
  const PhiloxCounter drawn =
      philox({{static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), stream, 0}},
             static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  const std::uint64_t bits = (static_cast<std::uint64_t>(drawn.words[0]) << 32 | drawn.words[1]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

} // namespace kern
