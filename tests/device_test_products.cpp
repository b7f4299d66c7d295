// Matrix products of kernels/cuda, executed on the host, against the CPU backend with ==.
#include <doctest/doctest.h>

#include "quant/formats.h"
#include "tests/device_fixture.h"

namespace kern {

namespace {

using test::OnDevice;

/// x [tokens][columns] times a matrix, on the CPU.
std::vector<float> product_on_cpu(CpuBackend& cpu, Format format, std::span<const std::byte> bytes, int rows,
                                  int columns, std::vector<float> x, int tokens) {
  const auto weight = test::bind_matrix(cpu, format, bytes, rows, columns);
  std::vector<float> out(static_cast<std::size_t>(tokens * rows));
  cpu.matmul(*weight, {x.data(), tokens, columns}, {out.data(), tokens, rows});
  return out;
}

struct Rounded {
  cuda::RoundedRows by32, by256;
  const cuda::RoundedRows& for_format(Format format) const { return find_format(format)->width == 256 ? by256 : by32; }
};

Rounded quantize(OnDevice& on, const float* x, int tokens, int columns) {
  const Rounded rounded{on.rounded(tokens, columns, 32), on.rounded(tokens, columns, 256)};
  cuda::launch_quantize(on.device(), x, tokens, columns, rounded.by32, rounded.by256);
  return rounded;
}

} // namespace

TEST_CASE("device: products with one token at a time equal the CPU's: format x shape x order of threads") {
  CpuBackend cpu(1);
  cpu.reserve(test::test_limits(4, 8704));
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float) {
      CAPTURE(Traits::name);
      struct Case {
        int rows, columns, tokens;
      };
      // A panel that isn't full; more units than a block takes at once; a unit that isn't full.
      for (const Case& c : {Case{17, 512, 2}, Case{3, 8704, 1}, Case{16, 256 + Traits::width % 256, 1}}) {
        const auto bytes = test::random_matrix_bytes<Traits>(c.rows, c.columns, 3);
        const auto x = random_floats(static_cast<std::size_t>(c.tokens * c.columns), 5);
        const auto expected = product_on_cpu(cpu, Traits::id, bytes, c.rows, c.columns, x, c.tokens);
        OnDevice on;
        const cuda::VectorInput input{on.copy(x), c.columns};
        auto* out = on.array<float>(expected.size());
        const cuda::ProductPart part{on.matrix(Traits::id, bytes, c.rows, c.columns), nullptr, out};
        test::in_every_order([&] {
          cuda::launch_vector_product(on.device(), {&part, 1}, input, c.tokens, cuda::Epilogue::store);
          CHECK(same_bits(on.read(out, expected.size()), expected));
        });
      }
    }
  });
}

} // namespace kern
