// Matrix products of kernels/cuda with many tokens, executed on the host.
#include <doctest/doctest.h>

#include "tests/device_float_products.h"

namespace kern {

namespace {

using cuda::Epilogue;
using test::check_float_tile;
using test::check_tokens_apart;
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

/// By warps' tensor core instructions.
void by_warps(OnDevice& on, const cuda::ProductPart& part, const float* x, int tokens) {
  cuda::launch_float_tile_product(on.device(), {&part, 1}, x, tokens, Epilogue::store);
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
  test::each_quantized_epilogue(
      []<class Traits>(CpuBackend& cpu, const ProductCase& shape, Traits) { check_tile_product<Traits>(cpu, shape); });
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
    if (!test::device_is_host) continue;
    test::host_device().major = 7; // which has no instruction for BF16
    check_lane_tile<BF16>(cpu, shape, cuda::launch_float_tile_product);
    test::host_device().major = major;
  }
}

TEST_CASE("device: float products on tensor cores are as exact as rounded activations allow") {
  check_float_tile<F16>(17, 531, 7, by_warps);
  check_float_tile<BF16>(17, 531, 7, by_warps);
  check_float_tile<F16>(130, 72, 70, by_warps);
  check_float_tile<BF16>(130, 64, 130, by_warps);
  check_float_tile<F16>(1, 3, 1, by_warps);
  const std::size_t usual = test::host_device().shared_bytes;
  test::host_device().shared_bytes = std::size_t{64} << 10;
  check_float_tile<F16>(100, 200, 130, by_warps);
  test::host_device().shared_bytes = usual;
  check_float_tile<BF16>(16, 16, 33, by_warps);
}

TEST_CASE("device: a token's result on tensor cores doesn't depend on how many there are") {
  check_tokens_apart<F16>(40, 200, 100, 1, by_warps);
  check_tokens_apart<BF16>(40, 200, 100, 33, by_warps);
}

TEST_CASE("device: what becomes of a float product on tensor cores: parts x biases x epilogue") {
  const auto run = [](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x,
                      const ProductCase& shape) {
    cuda::launch_float_tile_product(on.device(), parts, x, shape.tokens, shape.epilogue);
  };
  test::check_float_epilogues<F16>(run);
  test::check_float_epilogues<BF16>(run);
}

} // namespace kern
