// Matrix products of kernels/cuda with one token at a time, executed on the host, against the CPU backend with ==.
#include <doctest/doctest.h>

#include "tests/device_products.h"

namespace kern {

namespace {

using cuda::Epilogue;
using test::OnDevice;
using test::ProductCase;
using test::ProductProblem;

template <class Traits> void check_vector_product(CpuBackend& cpu, const ProductCase& shape) {
  ProductProblem<Traits>(shape).check(cpu, [&](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x) {
    cuda::launch_vector_product(on.device(), parts, {x, shape.columns}, shape.tokens, shape.epilogue);
  });
}

template <class Traits> void check_float_product(CpuBackend& cpu, const ProductCase& shape) {
  ProductProblem<Traits>(shape).check(cpu, [&](OnDevice& on, std::span<const cuda::ProductPart> parts, const float* x) {
    cuda::launch_float_product(on.device(), parts, {x, shape.columns}, shape.tokens, shape.epilogue);
  });
}

/// A product behind a norm, and the normed rows that it leaves.
template <class Traits, class Launch> void check_normed_product(CpuBackend& cpu, int columns, Launch&& launch) {
  constexpr int rows = 18, tokens = 2;
  CAPTURE(Traits::name);
  CAPTURE(columns);
  const auto bytes = test::random_matrix_bytes<Traits>(rows, columns, 3);
  const auto weight = test::bind_matrix(cpu, Traits::id, bytes, rows, columns);
  const auto norm = random_floats(static_cast<std::size_t>(columns), 7);
  const auto norm_weight =
      cpu.bind({"norm", Format::f32, 1, columns, std::as_bytes(std::span(norm))}, WeightUse::vector);
  auto x = random_floats(static_cast<std::size_t>(tokens * columns), 5);
  std::vector<float> normed(x.size()), expected(rows * tokens);
  const Product product{weight.get(), nullptr, {expected.data(), tokens, rows}};
  cpu.norm_products({x.data(), tokens, columns}, *norm_weight, 1e-5f, {normed.data(), tokens, columns}, {&product, 1});
  OnDevice on;
  auto* out = on.array<float>(expected.size());
  auto* normed_on = on.array<float>(normed.size());
  const cuda::ProductPart part{on.matrix(Traits::id, bytes, rows, columns), nullptr, out};
  const cuda::VectorInput input{on.copy(x), columns, on.copy(norm), 1e-5f, normed_on};
  test::in_every_order([&] {
    launch(on.device(), std::span(&part, 1), input, tokens, Epilogue::store);
    CHECK(same_bits(on.read(out, expected.size()), expected));
    CHECK(same_bits(on.read(normed_on, normed.size()), normed));
  });
}

} // namespace

TEST_CASE("device: products with one token at a time equal the CPU's: format x shape x order of threads") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(4, 8704));
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float) {
      CAPTURE(Traits::name);
      // A panel that isn't full; more units than a block takes at once; a unit that isn't full.
      check_vector_product<Traits>(cpu, {{17}, 512, 2});
      check_vector_product<Traits>(cpu, {{3}, 8704, 1});
      check_vector_product<Traits>(cpu, {{16}, 256 + Traits::width % 256, 1});
    }
  });
}

TEST_CASE("device: a product that norms its input first equals the CPU's, and so do the normed activations") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(4, 8704));
  for (const int columns : {256, 288, 4864}) {
    check_normed_product<Q8_0>(cpu, columns, cuda::launch_vector_product);
    check_normed_product<F16>(cpu, columns, cuda::launch_float_product);
  }
  check_normed_product<F32>(cpu, 77, cuda::launch_float_product);
}

TEST_CASE("device: what becomes of a vector product's result: parts x biases x epilogue") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(4, 8704));
  check_vector_product<Q4_K>(cpu, {{33, 5, 16}, 512, 2, Epilogue::store, true});
  check_vector_product<Q4_0>(cpu, {{17, 16}, 288, 1, Epilogue::store, true});
  check_vector_product<Q6_K>(cpu, {{18}, 512, 2, Epilogue::add, true});
  check_vector_product<Q8_0>(cpu, {{18}, 288, 1, Epilogue::add});
  check_vector_product<Q4_K>(cpu, {{35, 35}, 512, 2, Epilogue::activate, true});
  check_vector_product<Q5_1>(cpu, {{16, 16}, 320, 1, Epilogue::activate});
  check_vector_product<Q4_K>(cpu, {{18, 18}, 4608, 1, Epilogue::activate}); // several passes for each panel
}

TEST_CASE("device: float products equal the CPU's: format x shape x parts x epilogue x order of threads") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(20, 8704));
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (Traits::is_float) {
      CAPTURE(Traits::name);
      check_float_product<Traits>(cpu, {{17}, 512, 2});
      check_float_product<Traits>(cpu, {{1}, 1, 1});
      check_float_product<Traits>(cpu, {{5}, 4096 + 17, 1}); // more columns than are staged at once
      check_float_product<Traits>(cpu, {{16}, 8192, 1});
      check_float_product<Traits>(cpu, {{40}, 531, 20}); // several panels a block
      check_float_product<Traits>(cpu, {{33, 5, 16}, 100, 2, Epilogue::store, true});
      check_float_product<Traits>(cpu, {{18}, 512, 2, Epilogue::add, true});
      check_float_product<Traits>(cpu, {{35, 35}, 523, 2, Epilogue::activate, true});
      check_float_product<Traits>(cpu, {{35, 35}, 64, 9, Epilogue::activate});
    }
  });
}

} // namespace kern
