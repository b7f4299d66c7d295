// Matrix products of kernels/cuda with many tokens, executed on the host.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/device_products.h"

namespace kern {

namespace {

using cuda::Epilogue;
using test::OnDevice;
using test::ProductCase;
using test::ProductProblem;

template <class Traits> void check_tile_product(CpuBackend& cpu, const ProductCase& shape) {
  ProductProblem<Traits>(shape).check(cpu, [&](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x) {
    const auto rounded = test::quantize_on_device(on, x, shape.tokens, shape.columns);
    cuda::launch_tile_product(on.device(), parts, rounded.for_format(Traits::id), shape.tokens, shape.epilogue);
  });
}

template <class Traits, class Launch> void check_lane_tile(CpuBackend& cpu, const ProductCase& shape, Launch&& launch) {
  ProductProblem<Traits>(shape).check(cpu, [&](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x) {
    launch(on.device(), parts, x, shape.tokens, shape.epilogue);
  });
}

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
std::vector<float> wide_activations(int tokens, int columns) {
  std::vector<float> x = random_floats(static_cast<std::size_t>(tokens * columns), 7);
  for (int t = 0; t < tokens; ++t)
    for (int i = 0; i < columns; ++i)
      x[static_cast<std::size_t>(t * columns + i)] *= t % 3 == 0 ? 1.0f : t % 3 == 1 ? 0x1p30f : 0x1p-40f;
  return x;
}

template <class Traits> void check_float_tile(int rows, int columns, int tokens) {
  CAPTURE(Traits::name);
  CAPTURE(rows);
  CAPTURE(columns);
  CAPTURE(tokens);
  const auto wide = static_cast<std::size_t>(columns);
  const auto bytes = test::random_matrix_bytes<Traits>(rows, columns, 3);
  const auto x = wide_activations(tokens, columns);
  const auto rounded = round_activations<Traits>(x, wide);
  test::in_every_order([&] {
    OnDevice on;
    auto* out = on.array<float>(static_cast<std::size_t>(rows * tokens));
    const cuda::ProductPart part{on.matrix(Traits::id, bytes, rows, columns), nullptr, out};
    cuda::launch_float_tile_product(on.device(), {&part, 1}, on.copy(x), tokens, Epilogue::store);
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
template <class Traits> void check_tokens_apart(int rows, int columns, int tokens, int few) {
  const auto bytes = test::random_matrix_bytes<Traits>(rows, columns, 3);
  const auto x = wide_activations(tokens, columns);
  OnDevice on;
  std::vector<std::vector<float>> results;
  for (const int count : {tokens, few}) {
    auto* out = on.array<float>(static_cast<std::size_t>(rows * count));
    const cuda::ProductPart part{on.matrix(Traits::id, bytes, rows, columns), nullptr, out};
    cuda::launch_float_tile_product(on.device(), {&part, 1}, on.copy(x), count, Epilogue::store);
    results.push_back(on.read(out, static_cast<std::size_t>(rows * few)));
  }
  CHECK(same_bits(results[0], results[1]));
}

} // namespace

TEST_CASE("device: products with many tokens equal the CPU's: format x shape x order of threads") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(130, 2048));
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float) {
      CAPTURE(Traits::name);
      // A panel and a tile of tokens that aren't full; a unit that isn't full.
      check_tile_product<Traits>(cpu, {{17}, 768, 7});
      check_tile_product<Traits>(cpu, {{1}, 256 + Traits::width % 256, 1});
    }
  });
}

TEST_CASE("device: products with many tokens equal the CPU's in tiles of every shape") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(130, 2048));
  const test::HostDeviceOptions usual = test::host_device();
  test::host_device().multiprocessors = 1; // which gets the largest tiles that fit
  struct Case {
    std::size_t shared_kilobytes; // of sm_90, sm_80, sm_89, sm_75
    int rows, tokens;
  };
  for (const Case& c : {Case{227, 65, 65}, Case{163, 33, 65}, Case{163, 65, 33}, Case{163, 100, 7}, Case{99, 33, 33},
                        Case{99, 17, 33}, Case{99, 33, 7}, Case{64, 17, 7}, Case{64, 130, 130}}) {
    CAPTURE(c.shared_kilobytes);
    CAPTURE(c.rows);
    CAPTURE(c.tokens);
    test::host_device().shared_bytes = c.shared_kilobytes << 10;
    check_tile_product<Q4_K>(cpu, {{c.rows}, 768, c.tokens});
  }
  test::host_device() = usual;
  // Other arithmetic in a large tile: none, groups of 16, minimums of 16 and of each rounding, groups of 16 in
  // roundings of 32, one group.
  check_tile_product<Q8_0>(cpu, {{130}, 288, 130});
  check_tile_product<Q6_K>(cpu, {{130}, 512, 66});
  check_tile_product<Q2_K>(cpu, {{130}, 256, 66});
  check_tile_product<Q5_1>(cpu, {{130}, 96, 66});
  check_tile_product<NVFP4>(cpu, {{130}, 64, 66});
  check_tile_product<TQ2_0>(cpu, {{130}, 256, 66});
}

TEST_CASE("device: what becomes of a tile product's result: parts x biases x epilogue") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(130, 2048));
  check_tile_product<Q4_K>(cpu, {{33, 5, 16}, 512, 3, Epilogue::store, true});
  check_tile_product<Q4_0>(cpu, {{17, 16}, 288, 33, Epilogue::store, true});
  check_tile_product<Q6_K>(cpu, {{18}, 512, 2, Epilogue::add, true});
  check_tile_product<Q8_0>(cpu, {{70}, 288, 35, Epilogue::add});
  check_tile_product<Q4_K>(cpu, {{35, 35}, 512, 9, Epilogue::activate, true});
  check_tile_product<Q5_1>(cpu, {{16, 16}, 320, 40, Epilogue::activate});
}

TEST_CASE("device: float products with many tokens in the canonical arithmetic equal the CPU's") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(130, 2048));
  const std::vector<ProductCase> shapes{{{17}, 531, 7},
                                        {{1}, 1, 1},
                                        {{70}, 96, 70},
                                        {{33, 5, 16}, 100, 9, Epilogue::store, true},
                                        {{18}, 128, 2, Epilogue::add, true},
                                        {{35, 35}, 203, 33, Epilogue::activate, true}};
  const int major = test::host_device().major;
  for (const ProductCase& shape : shapes) {
    check_lane_tile<F32>(cpu, shape, cuda::launch_float_tile_product);
    check_lane_tile<F16>(cpu, shape, cuda::launch_lane_tile_product);
    test::host_device().major = 7; // which has no instruction for BF16
    check_lane_tile<BF16>(cpu, shape, cuda::launch_float_tile_product);
    test::host_device().major = major;
  }
}

TEST_CASE("device: float products on tensor cores are as exact as rounded activations allow") {
  check_float_tile<F16>(17, 531, 7);
  check_float_tile<BF16>(17, 531, 7);
  check_float_tile<F16>(130, 72, 70);
  check_float_tile<BF16>(130, 64, 130);
  check_float_tile<F16>(1, 3, 1);
  const std::size_t usual = test::host_device().shared_bytes;
  test::host_device().shared_bytes = std::size_t{64} << 10;
  check_float_tile<F16>(100, 200, 130);
  test::host_device().shared_bytes = usual;
  check_float_tile<BF16>(16, 16, 33);
}

TEST_CASE("device: a token's result on tensor cores doesn't depend on how many there are") {
  check_tokens_apart<F16>(40, 200, 100, 1);
  check_tokens_apart<BF16>(40, 200, 100, 33);
}

TEST_CASE("device: what becomes of a float product on tensor cores: parts x biases x epilogue") {
  // Weights and activations so short that every product and sum is exact: the CPU's bits.
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(130, 2048));
  const std::vector<ProductCase> shapes{{{33, 5, 16}, 100, 9, Epilogue::store, true},
                                        {{70, 16}, 64, 40, Epilogue::store, true},
                                        {{18}, 128, 2, Epilogue::add, true},
                                        {{35, 35}, 203, 33, Epilogue::activate, true},
                                        {{130, 130}, 36, 5, Epilogue::activate}};
  const auto run = [](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x,
                      const ProductCase& shape) {
    cuda::launch_float_tile_product(on.device(), parts, x, shape.tokens, shape.epilogue);
  };
  for (const ProductCase& shape : shapes) {
    ProductProblem<F16> halves(shape);
    halves.make_exact();
    halves.check(cpu, [&](OnDevice& on, auto parts, const float* x) { run(on, parts, x, shape); });
    ProductProblem<BF16> bfloats(shape);
    bfloats.make_exact();
    bfloats.check(cpu, [&](OnDevice& on, auto parts, const float* x) { run(on, parts, x, shape); });
  }
}

} // namespace kern
