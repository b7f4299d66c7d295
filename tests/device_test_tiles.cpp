// Matrix products of kernels/cuda with many tokens, executed on the host.
#include <doctest/doctest.h>

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
  const std::size_t usual = test::host_device().shared_bytes;
  for (const std::size_t shared : {usual, std::size_t{99} << 10, std::size_t{64} << 10}) { // of sm_90, sm_89, sm_75
    CAPTURE(shared);
    test::host_device().shared_bytes = shared;
    check_tile_product<Q8_0>(cpu, {{130}, 288, 130});
    check_tile_product<Q4_K>(cpu, {{40}, 512, 70});
    check_tile_product<Q6_K>(cpu, {{17}, 256, 130});
  }
  test::host_device().shared_bytes = usual;
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

} // namespace kern
