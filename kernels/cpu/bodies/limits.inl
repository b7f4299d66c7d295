// What the instruction set can do at most: loops of independent operations on registers, for benchmarks.

/// Multiply-adds of int8 codes done.
std::int64_t saturate_int8(std::int64_t rounds) {
  constexpr int chains = lane_count == 16 ? 20 : 10;
  Ints sum[chains];
  unroll<chains>([&](auto c) __attribute__((always_inline)) {
    sum[c] = Ints{};
    opaque(sum[c]); // not the same to the compiler
  });
  Words codes = every_lane(0x01020301u);
  // As the products of small codes: in runs.
  constexpr int steps = run_steps(15) < 8 ? run_steps(15) : 8;
  const std::int64_t runs = (rounds + steps - 1) / steps;
  for (std::int64_t i = 0; i < runs; ++i) {
    Ints run[chains];
    unroll<chains>([&](auto c) __attribute__((always_inline)) { run[c] = start_run<15>(sum[c]); });
    unroll<steps>([&](auto) __attribute__((always_inline)) {
      unroll<chains>([&](auto c) __attribute__((always_inline)) {
        run[c] = add_to_run<15>(run[c], codes, 0x01FF0201);
        opaque(codes); // each product is worked out anew
      });
    });
    unroll<chains>([&](auto c) __attribute__((always_inline)) { sum[c] = end_run<15>(sum[c], run[c]); });
  }
  unroll<chains>([&](auto c) __attribute__((always_inline)) { opaque(sum[c]); });
  return runs * steps * chains * lane_count * 4;
}

/// Multiply-adds of floats done.
std::int64_t saturate_fp32(std::int64_t rounds) {
  constexpr int chains = lane_count == 16 ? 20 : 10;
  Floats sum[chains];
  unroll<chains>([&](auto c) __attribute__((always_inline)) {
    sum[c] = Floats{};
    opaque(sum[c]);
  });
  Floats factor = every_lane(0.5f);
  for (std::int64_t i = 0; i < rounds; ++i) {
    unroll<chains>([&](auto c) __attribute__((always_inline)) { sum[c] = fused_lanes(factor, factor, sum[c]); });
  }
  unroll<chains>([&](auto c) __attribute__((always_inline)) { opaque(sum[c]); });
  return rounds * chains * lane_count;
}

/// Reads a run of memory, a multiple of 1024 bytes, in one or more streams side by side, 1 KB ahead, or 4 KB where that
/// is into the second level.
void read_memory(const std::byte* data, std::size_t bytes, int streams, CacheLevel ahead) {
  const int distance = ahead == CacheLevel::first ? 1024 : 4096;
  Words sum{};
  const std::size_t each = bytes / static_cast<std::size_t>(streams) / 256 * 256;
  for (std::size_t at = 0; at < each; at += 256)
    for (int s = 0; s < streams; ++s) {
      const std::byte* from = data + static_cast<std::size_t>(s) * each + at;
      unroll<4>([&](auto line) __attribute__((always_inline)) { prefetch_into(ahead, from + distance + line * 64); });
      unroll<256 / sizeof(Words)>([&](auto i) __attribute__((always_inline)) {
        sum ^= load_vector<Words>(from + i * static_cast<int>(sizeof(Words)));
      });
    }
  opaque(sum);
}
