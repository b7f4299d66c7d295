// CPU kernels against their definition, written out here in the plainest way, with ==.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/math.h"
#include "quant/formats.h"
#include "tests/kernel_helpers.h"
#include "tests/random_blocks.h"

namespace kern {

namespace {

/// Random blocks with weights of ordinary size, scales of either sign where they have one.
template <class Traits> std::vector<std::byte> random_row(int columns, unsigned seed) {
  test::RandomBits random(seed);
  std::vector<std::byte> row(row_bytes(Traits::id, static_cast<std::size_t>(columns)));
  auto* blocks = reinterpret_cast<typename Traits::Block*>(row.data());
  test::fill_random<Traits>(std::span(blocks, row.size() / sizeof *blocks), 0.05f, random);
  for (std::size_t b = 0; b < row.size() / sizeof *blocks; ++b)
    if constexpr (requires { blocks[b].d; })
      if (random() & 1) blocks[b].d.bits ^= 0x8000;
  return row;
}

float tree_of_16(const float* lane) {
  float sum[16];
  std::copy_n(lane, 16, sum);
  for (int width = 8; width >= 1; width /= 2)
    for (int i = 0; i < width; ++i) sum[i] += sum[i + width];
  return sum[0];
}

template <class Traits> float float_product_by_definition(const std::byte* row, const float* x, int columns) {
  const auto* blocks = reinterpret_cast<const typename Traits::Block*>(row);
  float lane[16] = {};
  for (int i = 0; i < columns; ++i) {
    float weight;
    Traits::decode(blocks[i], &weight);
    lane[i % 16] = std::fma(weight, x[i], lane[i % 16]);
  }
  return tree_of_16(lane);
}

/// One block of activations by the definition in kernels/backend.h.
float round_block(const float* x, int width, std::int32_t* codes) {
  float largest = 0.0f;
  for (int i = 0; i < width; ++i) largest = std::max(largest, std::fabs(x[i]));
  for (int i = 0; i < width; ++i)
    codes[i] = largest > 0.0f ? static_cast<std::int32_t>(std::nearbyint(x[i] * (127.0f / largest))) : 0;
  return largest / 127.0f;
}

template <class Traits> using WeightScale = std::conditional_t<has_whole_scales<Traits>, std::int16_t, float>;

template <class Traits> float quantized_product_by_definition(const std::byte* row, const float* x, int columns) {
  constexpr int rounding = Traits::width == 256 ? 256 : 32;
  const auto* blocks = reinterpret_cast<const typename Traits::Block*>(row);
  std::vector<std::int32_t> activation(static_cast<std::size_t>(columns));
  std::vector<std::int8_t> codes(activation.size());
  std::vector<float> activation_scales, min_scales(activation.size());
  std::vector<WeightScale<Traits>> scales(activation.size() / Traits::group);
  std::vector<std::int16_t> mins(scales.size());
  for (int b = 0; b < columns / Traits::width; ++b) {
    Traits::unpack_codes(blocks[b], codes.data() + b * Traits::width);
    const int g = b * Traits::width / Traits::group;
    if constexpr (Traits::has_min)
      Traits::unpack_scales(blocks[b], scales.data() + g, mins.data() + g, min_scales.data() + b);
    else Traits::unpack_scales(blocks[b], scales.data() + g);
  }
  for (int i = 0; i < columns; i += rounding)
    activation_scales.push_back(round_block(x + i, rounding, activation.data() + i));
  float result = 0.0f;
  for (int r = 0; r < columns / rounding; ++r) {
    float s = 0.0f;
    std::int64_t minimums = 0, total = 0;
    for (int begin = r * rounding; begin < (r + 1) * rounding; begin += Traits::group) {
      const auto g = static_cast<std::size_t>(begin / Traits::group);
      std::int64_t sum = 0;
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(begin + Traits::group); ++i) {
        sum += static_cast<std::int64_t>(codes[i]) * activation[i];
        minimums += static_cast<std::int64_t>(mins[g]) * activation[i];
      }
      if constexpr (has_whole_scales<Traits>) total += scales[g] * sum;
      else s = std::fma(static_cast<float>(sum), scales[g], s);
    }
    if constexpr (has_whole_scales<Traits>) s = static_cast<float>(total) * Traits::block_scale(blocks[r]);
    if constexpr (Traits::has_min)
      s = std::fma(-static_cast<float>(minimums), min_scales[static_cast<std::size_t>(r)], s);
    result = std::fma(s, activation_scales[static_cast<std::size_t>(r)], result);
  }
  return result;
}

template <class Traits> float product_by_definition(const std::byte* row, const float* x, int columns) {
  if constexpr (Traits::is_float) return float_product_by_definition<Traits>(row, x, columns);
  else return quantized_product_by_definition<Traits>(row, x, columns);
}

struct Matrix {
  std::vector<std::byte> bytes;
  std::unique_ptr<Weight> weight;
};

template <class Traits> Matrix random_matrix(Backend& backend, int rows, int columns, unsigned seed) {
  Matrix matrix;
  for (int r = 0; r < rows; ++r) {
    const auto row = random_row<Traits>(columns, seed * 1000 + static_cast<unsigned>(r));
    matrix.bytes.insert(matrix.bytes.end(), row.begin(), row.end());
  }
  matrix.weight = backend.bind({"test", Traits::id, rows, columns, matrix.bytes}, WeightUse::matrix);
  return matrix;
}

Matrix float_vector(Backend& backend, const std::vector<float>& values) {
  Matrix vector;
  vector.bytes.resize(values.size() * sizeof(float));
  std::memcpy(vector.bytes.data(), values.data(), vector.bytes.size());
  vector.weight =
      backend.bind({"test", Format::f32, 1, static_cast<std::int64_t>(values.size()), vector.bytes}, WeightUse::vector);
  return vector;
}

StepLimits generous_limits() {
  StepLimits limits;
  limits.tokens = 80;
  limits.columns = 1280;
  limits.queries_per_key = 8;
  limits.key_dim = 128;
  limits.value_dim = 128;
  return limits;
}

} // namespace

TEST_CASE("matrix products equal their definition: format x instruction set x shape x tokens x threads") {
  struct Case {
    int threads, tokens;
    Repack repack;
  };
  for (const CpuKernels* kernels : kernel_tables())
    for (const auto [threads, tokens, repack] :
         {Case{1, 3, Repack::at_once}, Case{2, 1, Repack::at_once}, Case{3, 13, Repack::never},
          Case{2, 1, Repack::never}, Case{1, 35, Repack::at_once}, Case{1, 22, Repack::never}}) {
      CpuBackend backend(threads, *kernels, repack);
      backend.reserve(generous_limits());
      for_each_format([&]<class Traits>(Traits) {
        for (const int columns :
             {Traits::is_float ? 1 : Traits::width, Traits::is_float ? 37 : Traits::width * 5, 1280}) {
          if (columns > 1280) continue;
          const int rows = tokens == 22 ? 53 : 21; // whole chunks of rows go to their place by another way
          if (tokens > 3 && columns == 1280 && std::string(kernels->name) == "portable") continue; // slow
          CAPTURE(kernels->name);
          CAPTURE(Traits::name);
          CAPTURE(columns);
          const Matrix matrix = random_matrix<Traits>(backend, rows, columns, static_cast<unsigned>(columns));
          auto x = random_floats(static_cast<std::size_t>(tokens * columns), 7);
          std::fill_n(x.begin(), columns, 0.0f); // a row of zeros
          std::vector<float> out(static_cast<std::size_t>(rows * tokens), NAN);
          backend.matmul(*matrix.weight, {x.data(), tokens, columns}, {out.data(), tokens, rows});
          std::vector<float> expected;
          for (int t = 0; t < tokens; ++t)
            for (int r = 0; r < rows; ++r)
              expected.push_back(product_by_definition<Traits>(matrix.bytes.data() + static_cast<std::size_t>(r) *
                                                                                         matrix.bytes.size() / rows,
                                                               x.data() + t * columns, columns));
          CHECK(out == expected);
        }
      });
    }
}

TEST_CASE("quantized products of the largest codes, scales and activations are exact") {
  constexpr int rows = 33, columns = 512, tokens = 17;
  constexpr std::uint8_t largest[] = {0x00, 0xFF, 0x80, 0x7F, 0x88, 0x77, 0x3F, 0x20};
  // Activations that round to 127 and -127 only: all of one sign, or of either.
  test::RandomBits random(5);
  std::vector<float> x(tokens * columns);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = i / columns == 0 ? 1.0f : i / columns == 1 ? -1.0f : random() % 2 ? 1.0f : -1.0f;
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float) {
      CAPTURE(Traits::name);
      std::vector<typename Traits::Block> blocks(static_cast<std::size_t>(rows * columns / Traits::width));
      for (std::size_t b = 0; b < blocks.size(); ++b) {
        const int row = static_cast<int>(b) / (columns / Traits::width);
        auto* bytes = reinterpret_cast<std::uint8_t*>(&blocks[b]);
        // Rows of one byte, then of any.
        for (std::size_t i = 0; i < sizeof blocks[b]; ++i)
          bytes[i] = largest[row < 8 ? static_cast<std::size_t>(row) : random() % std::size(largest)];
        test::set_scales<Traits>(blocks[b], 0.01f, random);
      }
      std::vector<float> expected;
      const auto* data = reinterpret_cast<const std::byte*>(blocks.data());
      const std::size_t row_size = blocks.size() / rows * sizeof blocks[0];
      for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t r = 0; r < rows; ++r)
          expected.push_back(product_by_definition<Traits>(data + r * row_size, x.data() + t * columns, columns));
      for (const CpuKernels* kernels : kernel_tables()) {
        CAPTURE(kernels->name);
        CpuBackend backend(1, *kernels, Repack::at_once);
        backend.reserve(generous_limits());
        const std::span bytes(data, row_size * rows);
        const auto weight = backend.bind({"test", Traits::id, rows, columns, bytes}, WeightUse::matrix);
        for (const int count : {tokens, 1}) {
          std::vector<float> out(static_cast<std::size_t>(rows * count), NAN);
          backend.matmul(*weight, {x.data(), count, columns}, {out.data(), count, rows});
          CHECK(same_bits(out, std::vector<float>(expected.begin(), expected.begin() + rows * count)));
        }
      }
    }
  });
}

TEST_CASE(
    "float products equal their definition around the borders of tiles, panels, lanes at once and tokens that wait") {
  struct Shape {
    int rows, columns, tokens, threads;
  };
  // Panels have 48 rows, tiles 8 tokens; from 6827, 13651 and 27299 columns on half, a quarter and an eighth of the
  // lanes are at hand at once, and of more than 512 tokens the rest come after them.
  for (const auto [rows, columns, tokens, threads] :
       {Shape{48, 16, 12, 1}, Shape{48, 16, 13, 1}, Shape{49, 15, 17, 1}, Shape{113, 33, 24, 1}, Shape{100, 129, 39, 3},
        Shape{1, 6800, 18, 1}, Shape{50, 6900, 17, 1}, Shape{19, 13700, 20, 2}, Shape{3, 27301, 17, 1},
        Shape{3, 6830, 519, 1}, Shape{70, 24, 519, 2}}) {
    CAPTURE(rows);
    CAPTURE(columns);
    CAPTURE(tokens);
    StepLimits limits;
    limits.tokens = tokens;
    limits.columns = columns;
    const auto x = random_floats(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(columns), 9);
    const auto check = [&]<class Traits>(Traits) {
      std::vector<float> expected;
      for (const CpuKernels* kernels : kernel_tables()) {
        CAPTURE(kernels->name);
        CpuBackend backend(threads, *kernels);
        backend.reserve(limits);
        const Matrix matrix = random_matrix<Traits>(backend, rows, columns, 4);
        if (expected.empty())
          for (int t = 0; t < tokens; ++t)
            for (int r = 0; r < rows; ++r)
              expected.push_back(product_by_definition<Traits>(
                  matrix.bytes.data() +
                      static_cast<std::size_t>(r) * matrix.bytes.size() / static_cast<std::size_t>(rows),
                  x.data() + static_cast<std::ptrdiff_t>(t) * columns, columns));
        std::vector<float> out(expected.size(), NAN), in = x;
        backend.matmul(*matrix.weight, {in.data(), tokens, columns}, {out.data(), tokens, rows});
        CHECK(same_bits(out, expected));
      }
    };
    if (rows > 48) check(F16{});
    else if (rows > 3) check(BF16{});
    else check(F32{});
  }
}

TEST_CASE("without a name the best instruction set is chosen; names that aren't known are refused") {
  CHECK(&choose_cpu_kernels("") == kernel_tables().back());
  CHECK_THROWS_AS(choose_cpu_kernels("abacus"), std::invalid_argument);
  // Who knows the processor says what it has to be: other tests take whatever is found.
  if (const char* best = std::getenv("KERN_BEST_CPU")) CHECK(std::string(choose_cpu_kernels("").name) == best);
}

TEST_CASE("matrices are moved once steps have had many tokens between them") {
  CpuBackend backend(1, choose_cpu_kernels(""), Repack::when_used);
  backend.reserve(generous_limits());
  const Matrix table = random_matrix<F32>(backend, 2, 256, 41);
  Matrix matrix = random_matrix<Q8_0>(backend, 32, 256, 42);
  const std::vector<std::byte> file = matrix.bytes;
  const std::vector<std::int32_t> tokens(128);
  std::vector<float> x(128 * 256), out(4 * 32);
  StepInputs step;
  step.tokens = 128;
  step.token = tokens.data();
  const auto product = [&] {
    backend.matmul(*matrix.weight, {x.data(), 4, 256}, {out.data(), 4, 32});
    return out;
  };
  // Whether it is still read where it was bound.
  const auto is_mapped = [&] {
    const std::vector<float> before = product();
    std::fill(matrix.bytes.begin(), matrix.bytes.end(), std::byte{0});
    const bool mapped = !same_bits(product(), before);
    std::copy(file.begin(), file.end(), matrix.bytes.begin());
    return mapped;
  };
  backend.embed(*table.weight, step, 1.0f, {x.data(), 128, 256});
  CHECK(is_mapped());
  backend.embed(*table.weight, step, 1.0f, {x.data(), 128, 256});
  CHECK_FALSE(is_mapped());
}

TEST_CASE("one token meets large matrices with the same result on any number of threads") {
  const int columns = 1280;
  const auto x = random_floats(columns, 31);
  std::vector<float> expected;
  for (const int threads : {1, 2, 3, 5}) {
    CAPTURE(threads);
    CpuBackend backend(threads);
    backend.reserve(generous_limits());
    // Shared out at once, handed out piece by piece, and as it lies in a file.
    Matrix small = random_matrix<Q8_0>(backend, 117, columns, 32);
    Matrix large = random_matrix<Q4_0>(backend, 2033, columns, 33);
    const Matrix mapped = random_matrix<F16>(backend, 601, columns, 34);
    std::vector<float> results;
    const auto multiply = [&](const Matrix& matrix) {
      auto in = x;
      std::vector<float> out(static_cast<std::size_t>(matrix.weight->rows), NAN);
      backend.matmul(*matrix.weight, {in.data(), 1, columns}, {out.data(), 1, static_cast<int>(out.size())});
      results.insert(results.end(), out.begin(), out.end());
    };
    for (int step = 0; step < 3; ++step)
      for (const Matrix* matrix : std::initializer_list<const Matrix*>{&small, &large, &mapped}) multiply(*matrix);
    large = Matrix{}; // the one that came after another, and before one
    for (const Matrix* matrix : std::initializer_list<const Matrix*>{&small, &mapped}) multiply(*matrix);
    small = Matrix{};
    multiply(mapped);
    if (threads == 1) expected = results;
    CHECK(same_bits(results, expected));
  }
}

TEST_CASE("infinite and NaN activations reach the result, on every instruction set") {
  for (const CpuKernels* kernels : kernel_tables()) {
    CpuBackend backend(1, *kernels);
    backend.reserve(generous_limits());
    for (const float poison : {INFINITY, -INFINITY, static_cast<float>(NAN)}) {
      const Matrix matrix = random_matrix<Q8_0>(backend, 4, 64, 3);
      std::vector<float> x(64, 1.0f);
      x[40] = poison;
      std::vector<float> out(4);
      backend.matmul(*matrix.weight, {x.data(), 1, 64}, {out.data(), 1, 4});
      for (const float value : out) CHECK(std::isnan(value));
    }
  }
}

TEST_CASE("norm, rotation, activation, embedding and rounding are the same bits on every instruction set") {
  const auto x = random_floats(300, 1);
  const auto w = random_floats(300, 2);
  const auto table = random_floats(64, 3);
  std::vector<std::vector<float>> results;
  std::vector<std::vector<std::int8_t>> codes;
  for (const CpuKernels* kernels : kernel_tables()) {
    std::vector<float> out(300);
    kernels->rms_norm(x.data(), w.data(), 1e-5f, 299, out.data());
    auto rotated = x;
    kernels->rotate(RopePairs::halves, 64, table.data(), 4, 70, rotated.data());
    kernels->rotate(RopePairs::adjacent, 32, table.data(), 4, 70, rotated.data());
    auto gate = x;
    kernels->activate(w.data(), gate.data(), 299);
    std::vector<float> scales(1), embedded(256);
    std::vector<std::int16_t> sums(16);
    codes.emplace_back(256);
    kernels->quantize(x.data(), 256, 0, {codes.back().data(), scales.data(), sums.data(), 256, 1});
    kernels->decode_row(Format::q6_k, random_row<Q6_K>(256, 5).data(), 256, 0.5f, embedded.data());
    for (const auto* part : {&rotated, &gate, &scales, &embedded}) out.insert(out.end(), part->begin(), part->end());
    results.push_back(out);
    std::int32_t expected[256];
    CHECK(scales[0] == round_block(x.data(), 256, expected));
    CHECK(std::equal(expected, expected + 256, codes.back().begin()));
    for (int g = 0; g < 16; ++g) {
      std::int32_t sum = 0;
      for (int i = 0; i < 16; ++i) sum += expected[g * 16 + i];
      CHECK(sums[static_cast<std::size_t>(g)] == sum);
    }
  }
  for (const auto& result : results) CHECK(same_bits(result, results[0]));
  for (const auto& code : codes) CHECK(code == codes[0]);
}

TEST_CASE("blocks of activations are rounded by themselves, whatever lies beside them") {
  for (const int block : {32, 256}) {
    const auto columns = static_cast<std::size_t>(block) * 21;
    auto x = random_floats(columns, 11);
    const float odd[] = {0.0f, 1e-42f, 0x1p-121f, 3e38f, INFINITY, -INFINITY, static_cast<float>(NAN)};
    for (std::size_t i = 0; i < std::size(odd); ++i) // blocks 1, 4, 7, ...: alone or among small numbers
      for (std::size_t at = 0; at < static_cast<std::size_t>(block); ++at)
        x[(3 * i + 1) * static_cast<std::size_t>(block) + at] = at == 5 || i < 3 ? odd[i] : 0.25f;
    for (const CpuKernels* kernels : kernel_tables()) {
      CAPTURE(kernels->name);
      std::vector<std::int8_t> codes(columns);
      std::vector<float> scales(21);
      std::vector<std::int16_t> sums(columns / 16);
      kernels->quantize(x.data(), static_cast<int>(columns), 0, {codes.data(), scales.data(), sums.data(), block, 1});
      for (std::size_t b = 0; b < 21; ++b) {
        CAPTURE(b);
        const std::size_t first = b * static_cast<std::size_t>(block);
        std::int32_t expected[256] = {};
        const bool finite = std::all_of(x.begin() + static_cast<std::ptrdiff_t>(first),
                                        x.begin() + static_cast<std::ptrdiff_t>(first) + block,
                                        [](float value) { return std::isfinite(value); });
        if (finite) CHECK(scales[b] == round_block(x.data() + first, block, expected));
        else CHECK(!std::isfinite(scales[b]));
        if (scales[b] < 0x1p-126f) std::fill_n(expected, 256, 0); // 127 / largest might not be finite
        for (std::size_t g = 0; g < static_cast<std::size_t>(block) / 16; ++g) {
          std::int32_t sum = 0;
          for (std::size_t i = g * 16; i < g * 16 + 16; ++i) {
            sum += expected[i];
            if (codes[first + i] != expected[i]) FAIL(i); // not an assertion for every code
          }
          CHECK(sums[first / 16 + g] == sum);
        }
      }
    }
  }
}

TEST_CASE("norm and rotation do what their formulas say") {
  CpuBackend backend(1);
  auto x = random_floats(64, 11);
  const Matrix weight = float_vector(backend, random_floats(64, 12));
  const auto w = random_floats(64, 12);
  std::vector<float> out(64);
  backend.rms_norm({x.data(), 1, 64}, *weight.weight, 1e-6f, {out.data(), 1, 64});
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * static_cast<double>(value);
  for (std::size_t i = 0; i < 64; ++i)
    CHECK(static_cast<double>(out[i]) ==
          doctest::Approx(static_cast<double>(x[i]) / std::sqrt(squares / 64 + 1e-6) * static_cast<double>(w[i]))
              .epsilon(1e-6));

  const std::vector<double> frequencies = {1.0, 0.25};
  const std::int32_t position = 1000003;
  StepInputs step;
  step.tokens = 1;
  step.position = &position;
  const Rope rope{RopePairs::adjacent, 4, 2.0f, frequencies.data()};
  std::vector<float> table(4);
  backend.rope_table(rope, step, {table.data(), 1, 4});
  std::vector<float> head = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}; // the last two aren't rotated
  backend.rotate(rope, {table.data(), 1, 4}, 6, {head.data(), 1, 6});
  for (std::size_t i = 0; i < 2; ++i) {
    const double angle = 1000003.0 * frequencies[i];
    const double a = static_cast<double>(2 * i + 1);
    const double b = static_cast<double>(2 * i + 2);
    CHECK(static_cast<double>(head[2 * i]) ==
          doctest::Approx(2 * (a * std::cos(angle) - b * std::sin(angle))).epsilon(1e-6));
    CHECK(static_cast<double>(head[2 * i + 1]) ==
          doctest::Approx(2 * (a * std::sin(angle) + b * std::cos(angle))).epsilon(1e-6));
  }
  CHECK(head[4] == 5.0f);
  CHECK(head[5] == 6.0f);
}

TEST_CASE("elementary functions stay within their stated errors") {
  std::mt19937 generator(5);
  for (int i = 0; i < 200000; ++i) {
    const float x = std::uniform_real_distribution<float>(-87.3f, 88.7f)(generator);
    const double exact = std::exp(static_cast<double>(x));
    REQUIRE(std::abs(static_cast<double>(exp_f32(x)) - exact) <= 2.0 * std::ldexp(1.0, std::ilogb(exact) - 23));
    const double y = std::uniform_real_distribution<double>(-600.0, 600.0)(generator);
    REQUIRE(std::abs(exp_f64(y) / std::exp(y) - 1.0) < 1e-15);
    REQUIRE(std::abs(log_f64(std::exp(y)) - std::log(std::exp(y))) <= 1e-14 * std::max(1.0, std::abs(y)));
    // Of every size up to 2^31.
    const double angle = std::ldexp(std::uniform_real_distribution<double>(-1.0, 1.0)(generator), i % 32);
    float sine, cosine;
    sincos_f64(angle, &sine, &cosine);
    REQUIRE(std::abs(static_cast<double>(sine) - std::sin(angle)) <
            6.1e-8); // half a unit of float's last place, and 1e-10
    REQUIRE(std::abs(static_cast<double>(cosine) - std::cos(angle)) < 6.1e-8);
  }
  CHECK(exp_f32(0.0f) == 1.0f);
  CHECK(exp_f32(-INFINITY) == 0.0f);
  CHECK(exp_f32(-1000.0f) == 0.0f);
  CHECK(std::isinf(exp_f32(89.0f)));
  CHECK(std::isnan(exp_f32(NAN)));
  CHECK(silu_f32(0.0f) == 0.0f);
  CHECK(silu_f32(-200.0f) == 0.0f);
  CHECK(sigmoid_f32(200.0f) == 1.0f);
}

TEST_CASE("fused operations equal their compositions") {
  const int dim = 256, hidden = 96;
  for (const int tokens : {5, 20}) { // float products of many take activations arranged, where rounded ones would be
    CAPTURE(tokens);
    CpuBackend cpu(3);
    cpu.reserve(generous_limits());
    PrimitiveBackend primitive(cpu);
    const auto x0 = random_floats(static_cast<std::size_t>(tokens * dim), 21);
    const Matrix norm = float_vector(cpu, random_floats(dim, 22));
    const Matrix gate = random_matrix<Q4_K>(cpu, hidden, dim, 23), up = random_matrix<Q8_0>(cpu, hidden, dim, 24),
                 wide = random_matrix<F16>(cpu, dim, dim, 25), other = random_matrix<F32>(cpu, hidden, dim, 28);
    const Matrix bias = float_vector(cpu, random_floats(hidden, 26)),
                 wide_bias = float_vector(cpu, random_floats(dim, 27));
    std::vector<std::vector<float>> results;
    for (Backend* backend : {static_cast<Backend*>(&cpu), static_cast<Backend*>(&primitive)}) {
      auto x = x0;
      const auto hidden_count = static_cast<std::size_t>(tokens * hidden);
      std::vector<float> normed(x.size()), scratch(x.size()), g(hidden_count), u(hidden_count), f(hidden_count), all;
      const Rows rows{x.data(), tokens, dim}, n{normed.data(), tokens, dim}, s{scratch.data(), tokens, dim};
      const Product products[] = {{gate.weight.get(), bias.weight.get(), {g.data(), tokens, hidden}},
                                  {up.weight.get(), nullptr, {u.data(), tokens, hidden}},
                                  {other.weight.get(), bias.weight.get(), {f.data(), tokens, hidden}}};
      for (const std::size_t count : {2u, 3u}) {
        backend->norm_products(rows, *norm.weight, 1e-5f, n, std::span(products, count));
        for (const auto* part : {&normed, &g, &u, &f}) all.insert(all.end(), part->begin(), part->end());
      }
      for (const std::size_t second : {1u, 2u}) {
        backend->norm_gate_up(rows, *norm.weight, 1e-5f, Activation::silu, n, products[0], products[second]);
        all.insert(all.end(), g.begin(), g.end());
      }
      backend->matmul_add(*wide.weight, wide_bias.weight.get(), n, s, rows);
      all.insert(all.end(), x.begin(), x.end());
      results.push_back(all);
    }
    CHECK(same_bits(results[0], results[1]));
  }
}

TEST_CASE_TEMPLATE("a moved gate and a mapped up matrix give what two mapped ones give", Traits, IQ2_XXS, IQ1_M, Q4_K,
                   Q8_0) {
  const int dim = 512, hidden = 80;
  const auto x = random_floats(dim, 31);
  for (const CpuKernels* kernels : kernel_tables()) {
    CAPTURE(kernels->name);
    CpuBackend moving(2, *kernels, Repack::at_once), mapping(2, *kernels, Repack::never);
    moving.reserve(generous_limits());
    const Matrix norm = float_vector(moving, random_floats(dim, 32));
    const auto gate_and_up = [&](Backend& of_gate, Backend& of_up) {
      const Matrix gate = random_matrix<Traits>(of_gate, hidden, dim, 33),
                   up = random_matrix<Traits>(of_up, hidden, dim, 34);
      auto rows = x;
      std::vector<float> normed(dim), g(hidden), u(hidden);
      moving.norm_gate_up({rows.data(), 1, dim}, *norm.weight, 1e-5f, Activation::silu, {normed.data(), 1, dim},
                          {gate.weight.get(), nullptr, {g.data(), 1, hidden}},
                          {up.weight.get(), nullptr, {u.data(), 1, hidden}});
      return g;
    };
    // First, while the scratch holds nothing of the same activations.
    const auto mapped_first = gate_and_up(mapping, moving);
    const auto moved_first = gate_and_up(moving, mapping);
    const auto expected = gate_and_up(mapping, mapping);
    CHECK(same_bits(mapped_first, expected));
    CHECK(same_bits(moved_first, expected));
  }
}

} // namespace kern
