// Products of warpgroups in kernels/cuda, executed on the host.
#include <doctest/doctest.h>

#include "kernels/cuda/warpgroup_check.h"
#include "tests/device_float_products.h"

namespace kern {

namespace {

using cuda::Epilogue;
using test::OnDevice;
using test::ProductCase;
using test::ProductProblem;

/// Whether there are products of warpgroups to test. Where there are, they pass the check.
bool has_warpgroups() {
  OnDevice on;
  const std::string notice = cuda::check_warpgroup_products(on.device());
  CHECK(notice == "");
  return on.device().warpgroup_products();
}

template <class Traits> void check_warpgroup_tile(CpuBackend& cpu, const ProductCase& shape, unsigned row_tiles = 0) {
  CAPTURE(Traits::name);
  ProductProblem<Traits>(shape).check(cpu, [&](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x) {
    const auto rounded = test::quantize_on_device(on, x, shape.tokens, shape.columns);
    cuda::launch_warpgroup_tile_product(on.device(), parts, rounded.for_format(Traits::id), shape.tokens,
                                        shape.epilogue, {row_tiles, nullptr});
  });
}

std::byte* float_scratch(OnDevice& on, int tokens, int columns) {
  return on.array<std::byte>(cuda::warpgroup_float_bytes(tokens, columns));
}
/// In blocks of so many times 64 rows; 0: of what is fastest.
auto by_warpgroups(unsigned row_tiles) {
  return [=](OnDevice& on, const cuda::ProductPart& part, const float* x, int tokens) {
    cuda::launch_warpgroup_float_product(on.device(), {&part, 1}, x, tokens, Epilogue::store,
                                         float_scratch(on, tokens, part.weight.columns), row_tiles);
  };
}

} // namespace

TEST_CASE("device: warpgroups' products with many tokens equal the CPU's: format x shape x order of threads") {
  if (!has_warpgroups()) return;
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(260, 2048));
  for_each_format([&]<class Traits>(Traits) {
    // A panel and a tile of tokens that aren't full; a unit that isn't full.
    if constexpr (!Traits::is_float) check_warpgroup_tile<Traits>(cpu, {{17}, 256 + Traits::width % 256, 7});
  });
}

TEST_CASE("device: warpgroups' products equal the CPU's in tiles that are full and that aren't") {
  if (!has_warpgroups()) return;
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(260, 2048));
  for (const unsigned row_tiles : {1u, 2u}) {
    CAPTURE(row_tiles);
    check_warpgroup_tile<Q4_K>(cpu, {{195}, 768, 1}, row_tiles);
    check_warpgroup_tile<Q4_K>(cpu, {{65}, 512, 129}, row_tiles);
    check_warpgroup_tile<Q8_0>(cpu, {{64}, 288, 65}, row_tiles);
    check_warpgroup_tile<Q5_1>(cpu, {{100}, 96, 128}, row_tiles);
    check_warpgroup_tile<TQ2_0>(cpu, {{200}, 256, 66}, row_tiles);
    check_warpgroup_tile<Q6_K>(cpu, {{70}, 1280, 130}, row_tiles); // every stage, and the first ones again
    check_warpgroup_tile<Q2_K>(cpu, {{130}, 256, 2}, row_tiles);
    check_warpgroup_tile<NVFP4>(cpu, {{66}, 320, 66}, row_tiles);
  }
}

TEST_CASE("device: what becomes of a warpgroup product's result: parts x biases x epilogue") {
  if (!has_warpgroups()) return;
  test::each_quantized_epilogue([]<class Traits>(CpuBackend& cpu, const ProductCase& shape, Traits) {
    check_warpgroup_tile<Traits>(cpu, shape);
  });
}

TEST_CASE("device: float products of warpgroups are as exact as rounded activations allow") {
  if (!has_warpgroups()) return;
  test::check_float_tile<F16>(17, 531, 7, by_warpgroups(0));
  test::check_float_tile<BF16>(17, 531, 7, by_warpgroups(1));
  test::check_float_tile<F16>(65, 72, 130, by_warpgroups(1));
  test::check_float_tile<F16>(1, 3, 1, by_warpgroups(2));
  test::check_float_tile<BF16>(100, 320, 129, by_warpgroups(2));
  test::check_float_tile<F16>(195, 72, 70, by_warpgroups(4));
  test::check_float_tile<BF16>(257, 451, 3, by_warpgroups(4));
}

TEST_CASE("device: a token's result of warpgroups doesn't depend on how many there are, nor on tiles") {
  if (!has_warpgroups()) return;
  for (const unsigned row_tiles : {1u, 2u, 4u}) {
    const auto launch = [&](OnDevice& on, const cuda::ProductPart& part, const float* x, int tokens) {
      by_warpgroups(tokens > 100 ? 4 : row_tiles)(on, part, x, tokens);
    };
    test::check_tokens_apart<F16>(70, 200, 130, 1, launch);
    test::check_tokens_apart<BF16>(40, 200, 130, 33, launch);
  }
}

TEST_CASE("device: what becomes of warpgroups' float product: parts x biases x epilogue") {
  if (!has_warpgroups()) return;
  const auto run = [](unsigned row_tiles) {
    return [=](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x, const ProductCase& shape) {
      CAPTURE(row_tiles);
      cuda::launch_warpgroup_float_product(on.device(), parts, x, shape.tokens, shape.epilogue,
                                           float_scratch(on, shape.tokens, shape.columns), row_tiles);
    };
  };
  test::check_float_epilogues<BF16>(run(1));
  for (const unsigned row_tiles : {2u, 4u}) test::check_float_epilogues<F16>(run(row_tiles));
}

TEST_CASE("device: products of warpgroups are used where a check finds them right") {
  test::HostDeviceOptions& host = test::host_device();
  const test::HostDeviceOptions usual = host;
  test::in_every_order([] {
    OnDevice on;
    CHECK_FALSE(on.device().warpgroup_products());
    CHECK(cuda::check_warpgroup_products(on.device()).empty());
    CHECK((on.device().warpgroup_products() || !test::device_is_host));
  });
  if (!test::device_is_host) return;
  host.misread_operands = true;
  OnDevice wrong;
  wrong.device().use_warpgroup_products(true);
  const std::string notice = cuda::check_warpgroup_products(wrong.device());
  CHECK(notice.starts_with("host as a device: "));
  CHECK(notice.find('\n') == std::string::npos);
  CHECK_FALSE(wrong.device().warpgroup_products());
  host = usual;
  host.lose_copies = true; // that are waited for
  OnDevice loses;
  CHECK(cuda::check_warpgroup_products(loses.device()) == notice);
  CHECK_FALSE(loses.device().warpgroup_products());
  const ProductProblem<Q4_K> problem({{16}, 256, 1});
  const auto multiply = [](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x) {
    const auto rounded = test::quantize_on_device(on, x, 1, 256);
    cuda::launch_warpgroup_tile_product(on.device(), parts, rounded.by256, 1, Epilogue::store);
  };
  CHECK_THROWS(problem.on_device(loses, [&](auto parts, const float* x) { multiply(loses, parts, x); }));
  host = usual;
  host.major = 10; // whose instructions are others
  OnDevice other;
  CHECK(cuda::check_warpgroup_products(other.device()).empty());
  CHECK_FALSE(other.device().warpgroup_products());
  host = usual;
  host.memory_bytes = test::host_device_bytes() + 1000;
  OnDevice full;
  CHECK(!cuda::check_warpgroup_products(full.device()).empty());
  CHECK_FALSE(full.device().warpgroup_products());
  host = usual;
}

TEST_CASE("device: prompts' products go to warpgroups where tiles of 64 x 128 fill the device") {
  if (!test::device_is_host) return;
  test::HostDeviceOptions& host = test::host_device();
  const test::HostDeviceOptions usual = host;
  host.multiprocessors = 2;
  // Those that go there come out wrong where operands are misread.
  const auto goes_there = [&]<class Traits>(int rows, int tokens, Traits) {
    const ProductProblem<Traits> problem({{rows}, 256, tokens});
    std::vector<std::vector<float>> results[2];
    for (const bool misread : {false, true}) {
      host.misread_operands = misread;
      OnDevice on;
      on.device().use_warpgroup_products(true);
      results[misread ? 1 : 0] = problem.on_device(on, [&](std::span<const cuda::ProductPart> parts, const float* x) {
        const auto rounded = test::quantize_on_device(on, x, tokens, 256);
        cuda::launch_tile_product(on.device(), parts, rounded.for_format(Traits::id), tokens, Epilogue::store);
      });
    }
    return !same_bits(results[0][0], results[1][0]);
  };
  CHECK(goes_there(130, 105, Q4_K{}));
  CHECK_FALSE(goes_there(130, 60, Q4_K{})); // too few tokens
  CHECK_FALSE(goes_there(60, 105, Q4_K{})); // too few rows
  host = usual;
}

} // namespace kern
