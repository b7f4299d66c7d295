// What an operation has to do at least, and how long that takes where only the machine's limits bind it.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.h"

namespace kern {

/// Bytes that have to be read and multiply-adds that have to be done. Activations and vectors are left out: they stay
/// in caches.
struct Work {
  std::uint64_t weight_bytes = 0;       // matrices, each once a call; rows of tables
  std::uint64_t cache_bytes = 0;        // keys and values, each once a call
  std::uint64_t int8_multiply_adds = 0; // products with quantized weights
  std::uint64_t fp32_multiply_adds = 0; // products with float weights, attention

  std::uint64_t bytes() const { return weight_bytes + cache_bytes; }
  std::uint64_t multiply_adds() const { return int8_multiply_adds + fp32_multiply_adds; }
  Work& operator+=(const Work& other);
};

/// Rows of a table for `tokens` tokens.
Work lookup_work(const Weight& table, int tokens);
/// x [tokens][columns] -> [tokens][rows].
Work product_work(const Weight& weight, int tokens);
/// Queries at `positions` [n] of `sequences` [n]; those of a sequence stand together.
Work attention_work(const AttentionShape& shape, const KvView& cache, std::span<const std::int32_t> positions,
                    std::span<const std::int32_t> sequences);

/// What a device does at most in a second, all of its threads together.
struct Limits {
  double read_bytes = 0.0;
  double int8_multiply_adds = 0.0;
  double fp32_multiply_adds = 0.0;
  double half_multiply_adds = 0.0; // of 16-bit numbers in matrix units; 0: it has none, or doesn't use them
};

/// The limit that binds a piece of work, and the seconds it takes at that limit.
struct Bound {
  const char* name = ""; // "read", "int8" or "fp32"; empty where there is nothing to do
  double seconds = 0.0;
};

/// Reading goes on while the units compute; int8 and fp32 products take turns on the same units.
Bound least_time(const Work& work, const Limits& limits);

} // namespace kern
