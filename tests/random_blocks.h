// Random weights in any format, without an encoder: random codes, and scales that give the weights a standard
// deviation.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "quant/formats.h"

namespace kern::test {

/// SplitMix64 (Steele, Lea, Flood 2014): fast enough to fill gigabytes, and the same everywhere.
class RandomBits {
public:
  explicit RandomBits(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// Nearly normal, standard deviation 1: the sum of four uniforms.
  float normal() {
    const std::uint64_t bits = (*this)();
    const auto part = [&](int i) { return static_cast<float>((bits >> (16 * i)) & 0xFFFF) / 65536.0f; };
    return (part(0) + part(1) + part(2) + part(3) - 2.0f) * 1.7320508f;
  }
  void fill(std::span<std::byte> bytes) {
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      const std::uint64_t bits = (*this)();
      std::memcpy(bytes.data() + i, &bits, 8);
    }
    for (; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>((*this)());
  }

private:
  std::uint64_t state_;
};

/// Sets the scales of a block whose codes are random, `d` times what they would be for codes alone. Minimums are such
/// that weights have mean zero.
template <class Traits> void set_scales(typename Traits::Block& block, float d, RandomBits& random) {
  constexpr Format id = Traits::id;
  // The mean of the codes that a minimum has to take away.
  constexpr float mean = id == Format::q2_k ? 1.5f : id == Format::q4_1 || id == Format::q4_k ? 7.5f : 15.5f;
  if constexpr (id == Format::f32) block = d * random.normal();
  if constexpr (id == Format::f16) block = to_half(d * random.normal());
  if constexpr (id == Format::bf16) block = to_bfloat16(d * random.normal());
  if constexpr (requires { block.d; }) block.d = to_half(d);
  if constexpr (requires { block.dmin; }) block.dmin = to_half(mean * d);
  if constexpr (requires { block.m; }) block.m = to_half(-mean * d);
  if constexpr (id == Format::iq1_m)
    for (int i = 0; i < 4; ++i) {
      const int part = (to_half(d).bits >> (4 * i)) & 15;
      block.scales[i] = static_cast<std::uint16_t>((block.scales[i] & 0x0FFF) | part << 12);
    }
  if constexpr (id == Format::mxfp4) block.exponent = static_cast<std::uint8_t>(127 + std::lround(std::log2(d)));
  if constexpr (id == Format::nvfp4)
    for (std::uint8_t& scale : block.scales) {
      const long exponent = std::lround(std::log2(d)) + 7;
      scale = static_cast<std::uint8_t>(std::clamp(exponent, 0L, 14L) << 3 | static_cast<long>(random() & 7));
    }
}

/// Fills whole blocks with weights of about the given standard deviation.
template <class Traits>
void fill_random(std::span<typename Traits::Block> blocks, float deviation, RandomBits& random) {
  // What the codes alone deviate by, measured once on a few blocks.
  static const float of_codes = [] {
    RandomBits sample(1);
    double squares = 0;
    constexpr int count = Traits::is_float ? 4096 : 64;
    for (int i = 0; i < count; ++i) {
      typename Traits::Block block;
      sample.fill(std::as_writable_bytes(std::span(&block, 1)));
      set_scales<Traits>(block, 1.0f, sample);
      float weights[Traits::width];
      Traits::decode(block, weights);
      for (const float weight : weights) squares += static_cast<double>(weight) * static_cast<double>(weight);
    }
    return static_cast<float>(std::sqrt(squares / (count * Traits::width)));
  }();
  for (auto& block : blocks) {
    if constexpr (!Traits::is_float) random.fill(std::as_writable_bytes(std::span(&block, 1)));
    set_scales<Traits>(block, deviation / of_codes, random);
  }
}

/// `count` weights of any format, a whole number of blocks.
inline void fill_random(Format format, std::span<std::byte> bytes, float deviation, RandomBits& random) {
  visit_format(format, [&]<class Traits>(Traits) {
    using Block = typename Traits::Block;
    fill_random<Traits>(std::span(reinterpret_cast<Block*>(bytes.data()), bytes.size() / sizeof(Block)), deviation,
                        random);
  });
}

} // namespace kern::test
