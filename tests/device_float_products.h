// Products of F16 and BF16 weights on tensor cores, held to what rounding and adding may change.
#pragma once

#include <doctest/doctest.h>

#include <cmath>

#include "tests/device_products.h"

namespace kern::test {

/// Activations as a tensor core gets them: rounded to F16, 64 of a token with a power of two that makes the largest
/// 2^14 or more, or to BF16. x [tokens][columns]
template <class Traits> std::vector<double> round_activations(const std::vector<float>& x, std::size_t columns) {
  std::vector<double> rounded(x.size());
  for (std::size_t row = 0; row < x.size(); row += columns)
    for (std::size_t begin = 0; begin < columns; begin += 64) {
      const std::size_t end = std::min(begin + 64, columns);
      float largest = 0.0f;
      for (std::size_t i = row + begin; i < row + end; ++i) largest = std::max(largest, std::fabs(x[i]));
      const int exponent = largest == 0.0f ? 0 : 14 - std::ilogb(largest);
      for (std::size_t i = row + begin; i < row + end; ++i)
        if constexpr (Traits::id == Format::bf16) rounded[i] = static_cast<double>(to_float(to_bfloat16(x[i])));
        else rounded[i] = std::ldexp(static_cast<double>(to_float(to_half(std::ldexp(x[i], exponent)))), -exponent);
    }
  return rounded;
}

/// One token's and row's sum of products, and of their magnitudes.
struct ExactSum {
  double sum = 0;
  double magnitude = 0;
};
template <class Traits, class Value>
ExactSum exact_product(const std::byte* weights, const Value* x, std::size_t columns) {
  ExactSum exact;
  for (std::size_t i = 0; i < columns; ++i) {
    float weight;
    Traits::decode(reinterpret_cast<const typename Traits::Block*>(weights)[i], &weight);
    exact.sum += static_cast<double>(weight) * static_cast<double>(x[i]);
    exact.magnitude += std::fabs(static_cast<double>(weight) * static_cast<double>(x[i]));
  }
  return exact;
}

/// Activations of a wide range: those of every third token leave what a half can hold, upwards or downwards.
inline std::vector<float> wide_activations(int tokens, int columns) {
  std::vector<float> x = random_floats(static_cast<std::size_t>(tokens * columns), 7);
  for (int t = 0; t < tokens; ++t)
    for (int i = 0; i < columns; ++i)
      x[static_cast<std::size_t>(t * columns + i)] *= t % 3 == 0 ? 1.0f : t % 3 == 1 ? 0x1p30f : 0x1p-40f;
  return x;
}

/// Checks launch(device, part, x, tokens) against the exact product of rounded activations, and of the others.
template <class Traits, class Launch> void check_float_tile(int rows, int columns, int tokens, Launch&& launch) {
  CAPTURE(Traits::name);
  CAPTURE(rows);
  CAPTURE(columns);
  CAPTURE(tokens);
  const auto wide = static_cast<std::size_t>(columns);
  const auto bytes = random_matrix_bytes<Traits>(rows, columns, 3);
  const auto x = wide_activations(tokens, columns);
  const auto rounded = round_activations<Traits>(x, wide);
  in_every_order([&] {
    OnDevice on;
    auto* out = on.array<float>(static_cast<std::size_t>(rows * tokens));
    const cuda::ProductPart part{on.matrix(Traits::id, bytes, rows, columns), nullptr, out};
    launch(on, part, on.copy(x), tokens);
    const auto result = on.read(out, static_cast<std::size_t>(rows * tokens));
    // What rounding may change, and what float sums may: of 64 products, then of columns / 64 of those.
    const double rounding = Traits::id == Format::bf16 ? 0x1p-8 : 0x1p-11;
    const double summing = (64 + columns / 64.0 + 1) * 0x1p-24;
    for (int t = 0; t < tokens; ++t)
      for (int r = 0; r < rows; ++r) {
        const std::byte* row = bytes.data() + static_cast<std::size_t>(r) * wide * 2;
        const auto at = static_cast<std::size_t>(t) * wide;
        const auto of_rounded = exact_product<Traits>(row, rounded.data() + at, wide);
        const auto exact = exact_product<Traits>(row, x.data() + at, wide);
        const auto value = static_cast<double>(result[static_cast<std::size_t>(t * rows + r)]);
        REQUIRE(std::fabs(value - of_rounded.sum) <= summing * of_rounded.magnitude);
        REQUIRE(std::fabs(value - exact.sum) <= (rounding + summing) * exact.magnitude);
      }
  });
}

/// Results of the first of many tokens are those of few.
template <class Traits, class Launch>
void check_tokens_apart(int rows, int columns, int tokens, int few, Launch&& launch) {
  const auto bytes = random_matrix_bytes<Traits>(rows, columns, 3);
  const auto x = wide_activations(tokens, columns);
  OnDevice on;
  std::vector<std::vector<float>> results;
  for (const int count : {tokens, few}) {
    auto* out = on.array<float>(static_cast<std::size_t>(rows * count));
    const cuda::ProductPart part{on.matrix(Traits::id, bytes, rows, columns), nullptr, out};
    launch(on, part, on.copy(x), count);
    results.push_back(on.read(out, static_cast<std::size_t>(rows * few)));
  }
  CHECK(same_bits(results[0], results[1]));
}

/// What may become of a float product on tensor cores: parts x biases x epilogue, against the CPU with ==. Weights and
/// activations are so short that every product and sum is exact.
/// launch(on, parts, x [tokens][columns] on the device, case)
template <class Traits, class Launch> void check_float_epilogues(Launch&& launch) {
  using cuda::Epilogue;
  CpuBackend cpu(1);
  cpu.reserve(test_limits(130, 2048));
  const std::vector<ProductCase> shapes{{{33, 5, 16}, 100, 9, Epilogue::store, true},
                                        {{70, 16}, 64, 40, Epilogue::store, true},
                                        {{18}, 128, 2, Epilogue::add, true},
                                        {{35, 35}, 203, 33, Epilogue::activate, true},
                                        {{130, 130}, 36, 5, Epilogue::activate}};
  for (const ProductCase& shape : shapes) {
    CAPTURE(Traits::name);
    CAPTURE(shape.columns);
    ProductProblem<Traits> problem(shape);
    problem.make_exact();
    problem.check(cpu, [&](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x) {
      launch(on, parts, x, shape);
    });
  }
}

} // namespace kern::test
