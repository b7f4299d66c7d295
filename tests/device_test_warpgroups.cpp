// Products of warpgroups in kernels/cuda, executed on the host.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/device_products.h"

namespace kern {

namespace {

using cuda::Epilogue;
using test::OnDevice;
using test::ProductCase;
using test::ProductProblem;

template <class Traits> void check_warpgroup_tile(CpuBackend& cpu, const ProductCase& shape) {
  CAPTURE(Traits::name);
  ProductProblem<Traits>(shape).check(cpu, [&](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x) {
    const auto rounded = test::quantize_on_device(on, x, shape.tokens, shape.columns);
    REQUIRE(cuda::launch_warpgroup_tile_product(on.device(), parts, rounded.for_format(Traits::id), shape.tokens,
                                                shape.epilogue));
  });
}

} // namespace

TEST_CASE("device: warpgroups' products with many tokens equal the CPU's: format x shape x order of threads") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(260, 2048));
  int formats = 0;
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float) {
      if constexpr (Traits::group >= 32) {
        // A panel and a tile of tokens that aren't full; a unit that isn't full.
        check_warpgroup_tile<Traits>(cpu, {{17}, 256 + Traits::width % 256, 7});
        ++formats;
      } else {
        OnDevice on;
        const cuda::ProductPart part{{nullptr, 16, 256, Traits::id}, nullptr, nullptr};
        CHECK_FALSE(cuda::launch_warpgroup_tile_product(on.device(), {&part, 1}, {}, 1, Epilogue::store));
      }
    }
  });
  CHECK(formats == 18);
}

TEST_CASE("device: warpgroups' products equal the CPU's in tiles that are full and that aren't") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(260, 2048));
  const int usual = test::host_device().multiprocessors;
  for (const int multiprocessors : {usual, 1}) { // one warpgroup a block, or two
    test::host_device().multiprocessors = multiprocessors;
    check_warpgroup_tile<Q4_K>(cpu, {{130}, 768, 1});
    check_warpgroup_tile<Q4_K>(cpu, {{65}, 512, 129});
    check_warpgroup_tile<Q8_0>(cpu, {{64}, 288, 65});
    check_warpgroup_tile<Q5_1>(cpu, {{100}, 96, 128});
    check_warpgroup_tile<TQ2_0>(cpu, {{129}, 256, 66});
  }
  test::host_device().multiprocessors = usual;
}

TEST_CASE("device: what becomes of a warpgroup product's result: parts x biases x epilogue") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(130, 2048));
  check_warpgroup_tile<Q4_K>(cpu, {{33, 5, 16}, 512, 3, Epilogue::store, true});
  check_warpgroup_tile<Q4_0>(cpu, {{17, 16}, 288, 33, Epilogue::store, true});
  check_warpgroup_tile<IQ4_XS>(cpu, {{18}, 512, 2, Epilogue::add, true});
  check_warpgroup_tile<Q8_0>(cpu, {{70}, 288, 35, Epilogue::add});
  check_warpgroup_tile<Q4_K>(cpu, {{35, 35}, 512, 9, Epilogue::activate, true});
  check_warpgroup_tile<Q5_1>(cpu, {{16, 16}, 320, 40, Epilogue::activate});
}

} // namespace kern
