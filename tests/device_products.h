// Products with up to three matrices, their biases and what becomes of their results: on a device, and on the CPU
// backend.
#pragma once

#include "quant/formats.h"
#include "tests/device_fixture.h"

namespace kern::test {

struct ProductCase {
  std::vector<int> rows; // of each part
  int columns = 0;
  int tokens = 0;
  cuda::Epilogue epilogue = cuda::Epilogue::store;
  bool biased = false; // all parts but the second
};

struct RoundedOnDevice {
  cuda::RoundedRows by32, by256;
  const cuda::RoundedRows& for_format(Format format) const { return find_format(format)->width == 256 ? by256 : by32; }
};

inline RoundedOnDevice quantize_on_device(OnDevice& on, const float* x, int tokens, int columns) {
  const RoundedOnDevice rounded{on.rounded(tokens, columns, 32), on.rounded(tokens, columns, 256)};
  cuda::launch_quantize(on.device(), x, tokens, columns, rounded.by32, rounded.by256);
  return rounded;
}

/// One case of one format with random contents.
template <class Traits> class ProductProblem {
public:
  explicit ProductProblem(const ProductCase& shape) : shape_(shape) {
    x_ = random_floats(count(shape.tokens, shape.columns), 5);
    for (std::size_t i = 0; i < shape.rows.size(); ++i) {
      const auto seed = static_cast<unsigned>(i);
      bytes_.push_back(random_matrix_bytes<Traits>(shape.rows[i], shape.columns, 3 + seed));
      biases_.push_back(random_floats(static_cast<std::size_t>(shape.rows[i]), 11 + seed));
      before_.push_back(random_floats(count(shape.tokens, shape.rows[i]), 21 + seed));
    }
  }

  /// Makes activations and F16 or BF16 weights whole numbers from -3 to 3, whose products and sums are exact.
  void make_exact() {
    RandomBits random(17);
    const auto number = [&] { return static_cast<float>(static_cast<int>(random() % 7) - 3); };
    for (float& value : x_) value = number();
    for (auto& bytes : bytes_)
      for (std::size_t i = 0; i < bytes.size(); i += sizeof(typename Traits::Block)) {
        auto& block = reinterpret_cast<typename Traits::Block&>(bytes[i]);
        if constexpr (Traits::id == Format::f16) block = to_half(number());
        else block = to_bfloat16(number());
      }
  }

  /// Parts whose result is of interest.
  std::size_t results() const { return shape_.epilogue == cuda::Epilogue::activate ? 1 : shape_.rows.size(); }

  /// What the CPU backend makes of it, part after part.
  std::vector<std::vector<float>> on_cpu(CpuBackend& cpu) const {
    std::vector<std::vector<float>> results;
    for (std::size_t i = 0; i < shape_.rows.size(); ++i) {
      const auto weight = bind_matrix(cpu, Traits::id, bytes_[i], shape_.rows[i], shape_.columns);
      std::vector<float> x = x_;
      std::vector<float> out(before_[i].size());
      const Rows rows{out.data(), shape_.tokens, shape_.rows[i]};
      cpu.matmul(*weight, {x.data(), shape_.tokens, shape_.columns}, rows);
      if (has_bias(i))
        for (std::size_t at = 0; at < out.size(); ++at) out[at] += biases_[i][at % biases_[i].size()];
      if (shape_.epilogue == cuda::Epilogue::add)
        for (std::size_t at = 0; at < out.size(); ++at) out[at] = before_[i][at] + out[at];
      results.push_back(std::move(out));
    }
    if (shape_.epilogue == cuda::Epilogue::activate) {
      cpu.activate(Activation::silu, {results[1].data(), shape_.tokens, shape_.rows[1]},
                   {results[0].data(), shape_.tokens, shape_.rows[0]});
      results.pop_back();
    }
    return results;
  }

  /// The same by a launcher: launch(device, parts, x [tokens][columns] on the device).
  template <class Launch> std::vector<std::vector<float>> on_device(OnDevice& on, Launch&& launch) const {
    std::vector<cuda::ProductPart> parts;
    for (std::size_t i = 0; i < shape_.rows.size(); ++i)
      parts.push_back({on.matrix(Traits::id, bytes_[i], shape_.rows[i], shape_.columns),
                       has_bias(i) ? on.copy(biases_[i]) : nullptr, on.copy(before_[i])});
    launch(std::span<const cuda::ProductPart>(parts), on.copy(x_));
    std::vector<std::vector<float>> results;
    for (std::size_t i = 0; i < this->results(); ++i) results.push_back(on.read(parts[i].out, before_[i].size()));
    return results;
  }

  /// Checks a launcher against the CPU with ==, with the threads of a block in every order.
  template <class Launch> void check(CpuBackend& cpu, Launch&& launch) const {
    const auto expected = on_cpu(cpu);
    in_every_order([&] {
      OnDevice on;
      const auto results =
          on_device(on, [&](std::span<const cuda::ProductPart> parts, const float* x) { launch(on, parts, x); });
      for (std::size_t i = 0; i < results.size(); ++i) {
        CAPTURE(i);
        CHECK(same_bits(results[i], expected[i]));
      }
    });
  }

private:
  static std::size_t count(int tokens, int columns) {
    return static_cast<std::size_t>(tokens) * static_cast<std::size_t>(columns);
  }
  bool has_bias(std::size_t part) const { return shape_.biased && part != 1; }

  ProductCase shape_;
  std::vector<float> x_;
  std::vector<std::vector<std::byte>> bytes_;
  std::vector<std::vector<float>> biases_;
  std::vector<std::vector<float>> before_; // [tokens][rows], what add adds to
};

/// What may become of a product with many quantized weights: parts x biases x epilogue. check(cpu, case, format)
template <class Check> void each_quantized_epilogue(Check&& check) {
  using cuda::Epilogue;
  CpuBackend cpu(1);
  cpu.reserve(test_limits(130, 2048));
  check(cpu, ProductCase{{33, 5, 16}, 512, 3, Epilogue::store, true}, Q4_K{});
  check(cpu, ProductCase{{17, 16}, 288, 33, Epilogue::store, true}, Q4_0{});
  check(cpu, ProductCase{{18}, 512, 2, Epilogue::add, true}, IQ4_XS{});
  check(cpu, ProductCase{{70}, 288, 35, Epilogue::add}, Q8_0{});
  check(cpu, ProductCase{{35, 35}, 512, 9, Epilogue::activate, true}, Q4_K{});
  check(cpu, ProductCase{{16, 16}, 320, 40, Epilogue::activate}, Q5_1{});
}

} // namespace kern::test
