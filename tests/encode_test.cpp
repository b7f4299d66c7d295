// Encoders: as good as llama.cpp's on the same rows, the same bits on every instruction set, and sound on odd rows.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "kernels/cpu/kernels.h"
#include "quant/formats.h"
#include "tests/fixtures.h"
#include "tests/random_blocks.h"

namespace kern {

namespace {

constexpr int fixture_columns = 1024;
constexpr const char* fixture_kinds[] = {"normal", "laplace", "demo"};

std::vector<float> read_halves(const std::string& name) {
  const std::vector<char> file = test::read_file(test::data_path("encode/" + name));
  REQUIRE_FALSE(file.empty());
  std::vector<float> values(file.size() / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    Half half;
    std::memcpy(&half, file.data() + 2 * i, 2);
    values[i] = to_float(half);
  }
  return values;
}

std::vector<std::byte> encode(Format format, std::span<const float> x, int columns, const float* importance,
                              Encode encoder = choose_cpu_kernels().encode) {
  const FormatInfo info = find_format(format).value();
  std::vector<std::byte> blocks(x.size() / static_cast<std::size_t>(info.width) * info.block_bytes);
  encoder(format, {x.data(), importance, columns, static_cast<std::int64_t>(x.size()) / info.width, blocks.data()});
  return blocks;
}

std::vector<float> decode(Format format, const std::vector<std::byte>& bytes) {
  std::vector<float> values;
  visit_format(format, [&]<class Traits>(Traits) {
    const std::size_t blocks = bytes.size() / sizeof(typename Traits::Block);
    values.resize(blocks * Traits::width);
    for (std::size_t b = 0; b < blocks; ++b)
      Traits::decode(reinterpret_cast<const typename Traits::Block*>(bytes.data())[b],
                     values.data() + b * Traits::width);
  });
  return values;
}

double weighted_error(std::span<const float> x, const std::vector<float>& decoded, const std::vector<float>& weights) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double off = static_cast<double>(x[i]) - static_cast<double>(decoded[i]);
    sum += off * off * (weights.empty() ? 1.0 : static_cast<double>(weights[i % weights.size()]));
  }
  return std::sqrt(sum / static_cast<double>(x.size()));
}

/// Calls f(format) for every format with an encoder that loses something.
template <class F> void for_each_encoder(F&& f) {
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float && can_encode(Traits::id)) f(Traits::id);
  });
}

std::vector<float> random_row(std::size_t count, float deviation, std::uint64_t seed) {
  test::RandomBits random(seed);
  std::vector<float> row(count);
  for (float& value : row) value = deviation * random.normal();
  return row;
}

} // namespace

TEST_CASE("encoders leave no more error than llama.cpp's") {
  const std::vector<float> rows = read_halves("rows.f16");
  const std::vector<float> weights = read_halves("weights.f16");
  const auto text = test::read_file(test::data_path("encode/errors.json"));
  const auto errors = nlohmann::json::parse(text.begin(), text.end());
  const std::size_t part = rows.size() / std::size(fixture_kinds);
  int compared = 0;
  for_each_encoder([&](Format format) {
    for (std::size_t kind = 0; kind < std::size(fixture_kinds); ++kind)
      for (const bool weighted : {false, true}) {
        CAPTURE(find_format(format)->name);
        CAPTURE(fixture_kinds[kind]);
        CAPTURE(weighted);
        const std::span<const float> x(rows.data() + kind * part, part);
        const auto blocks = encode(format, x, fixture_columns, weighted ? weights.data() : nullptr);
        const double error = weighted_error(x, decode(format, blocks), weighted ? weights : std::vector<float>{});
        const double reference =
            errors.at(std::string(find_format(format)->name)).at(fixture_kinds[kind]).at(weighted ? 1 : 0);
        CHECK(error <= reference);
        ++compared;
      }
  });
  CHECK(compared == 16 * 6);
}

TEST_CASE("a block holds each digit and scale where the format has it") {
  // Whatever stands beside it, the same digit has to be the same code everywhere, and another digit another code.
  const auto consistent = [](auto& known, int stored, float unpacked) {
    const auto [entry, fresh] = known.emplace(stored, unpacked);
    if (!fresh) return entry->second == unpacked;
    return std::ranges::count_if(known, [&](const auto& k) { return k.second == unpacked; }) == 1;
  };
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float && can_encode(Traits::id)) {
      CAPTURE(Traits::name);
      constexpr Format id = Traits::id;
      constexpr int groups = Traits::width / Traits::group;
      // E2M1 has a zero of each sign; the last E4M3 is no number; MXFP4's two scales below 2 are subnormal.
      const int digits_end = id == Format::q8_0                                                 ? 256
                             : id == Format::q6_k                                               ? 64
                             : id == Format::q5_0 || id == Format::q5_1 || id == Format::q5_k   ? 32
                             : id == Format::q3_k || id == Format::mxfp4 || id == Format::nvfp4 ? 8
                             : id == Format::q2_k                                               ? 4
                             : id == Format::tq1_0 || id == Format::tq2_0                       ? 3
                                                                                                : 16;
      const int scales_end = id == Format::q6_k || id == Format::mxfp4 ? 255
                             : id == Format::nvfp4                     ? 127
                             : id == Format::q2_k                      ? 16
                                                                       : 64;
      test::RandomBits random(12);
      std::map<int, float> codes_of, scales_of, mins_of;
      for (int round = 0; round < 100; ++round) {
        std::uint8_t digits[Traits::width], scales[groups], mins[groups];
        for (std::uint8_t& digit : digits)
          digit = static_cast<std::uint8_t>(random() % static_cast<unsigned>(digits_end));
        for (std::uint8_t& scale : scales)
          scale = static_cast<std::uint8_t>(random() % static_cast<unsigned>(scales_end));
        for (std::uint8_t& minimum : mins)
          minimum = static_cast<std::uint8_t>(random() % static_cast<unsigned>(scales_end));
        typename Traits::Block block;
        Traits::pack({to_half(1.0f), to_half(1.0f), digits, scales, mins}, block);
        std::int8_t codes[Traits::width];
        float unpacked[groups];
        Traits::unpack_codes(block, codes);
        for (int i = 0; i < Traits::width; ++i) REQUIRE(consistent(codes_of, digits[i], codes[i]));
        if constexpr (Traits::has_min) {
          std::int16_t minimums[groups];
          float min_scale = 0.0f;
          Traits::unpack_scales(block, unpacked, minimums, &min_scale);
          CHECK(min_scale == 1.0f);
          if constexpr (groups > 1)
            for (int g = 0; g < groups; ++g) REQUIRE(consistent(mins_of, mins[g], minimums[g]));
        } else {
          Traits::unpack_scales(block, unpacked);
        }
        if constexpr (groups > 1 || id == Format::mxfp4)
          for (int g = 0; g < groups; ++g) REQUIRE(consistent(scales_of, scales[g], unpacked[g]));
        else REQUIRE(unpacked[0] == 1.0f);
      }
      CHECK(codes_of.size() == static_cast<std::size_t>(digits_end));
    }
  });
}

TEST_CASE("every instruction set encodes to the same bits, however rows are shared out") {
  std::vector<float> rows = random_row(6 * 768, 0.05f, 9);
  rows[1000] = 40.0f; // one far from the others
  std::vector<float> importance = random_row(768, 1.0f, 10);
  for (float& value : importance) value *= value;
  for_each_encoder([&](Format format) {
    CAPTURE(find_format(format)->name);
    const FormatInfo info = find_format(format).value();
    const auto portable = encode(format, rows, 768, importance.data(), encode_portable);
    for (const char* name : {"avx2", "avx512", "neon"}) {
      const CpuKernels* kernels = nullptr;
      try {
        kernels = &choose_cpu_kernels(name);
      } catch (const std::invalid_argument&) {
        continue; // not on this machine
      }
      CAPTURE(name);
      CHECK(encode(format, rows, 768, importance.data(), kernels->encode) == portable);
    }
    std::vector<std::byte> in_rows;
    for (int r = 0; r < 6; ++r) {
      const auto row =
          encode(format, std::span(rows).subspan(static_cast<std::size_t>(r) * 768, 768), 768, importance.data());
      in_rows.insert(in_rows.end(), row.begin(), row.end());
    }
    CHECK(in_rows.size() == rows.size() / static_cast<std::size_t>(info.width) * info.block_bytes);
    CHECK(in_rows == portable);
  });
}

TEST_CASE("odd rows are encoded soundly") {
  constexpr std::size_t columns = 1024;
  const std::vector<float> ordinary = random_row(columns, 1.0f, 3);
  for_each_encoder([&](Format format) {
    CAPTURE(find_format(format)->name);
    SUBCASE("zeros stay zeros") {
      for (const float value : decode(format, encode(format, std::vector<float>(columns), columns, nullptr)))
        CHECK(value == 0.0f);
    }
    SUBCASE("no value, however large or small, gives anything but numbers") {
      for (const float scale : {1e-45f, 1e-39f, 1e-20f, 1e20f, 1e38f}) {
        std::vector<float> row = ordinary;
        for (float& value : row) value *= scale;
        for (const float value : decode(format, encode(format, row, columns, nullptr))) REQUIRE(std::isfinite(value));
      }
    }
    SUBCASE("one value far from the others is kept, or as much of it as the format's scale holds") {
      std::vector<float> row = ordinary;
      row[100] = -1000.0f;
      const float kept = decode(format, encode(format, row, columns, nullptr))[100];
      CHECK(kept == doctest::Approx(-1000.0f).epsilon(0.26)); // E2M1 with a power of two: a quarter off at worst
    }
    SUBCASE("without any importance all columns count") {
      const std::vector<float> none(columns, 0.0f);
      CHECK(encode(format, ordinary, columns, none.data()) == encode(format, ordinary, columns, nullptr));
    }
    SUBCASE("importance pays where it lies") {
      std::vector<float> importance(columns, 1e-3f);
      for (std::size_t i = 0; i < columns; i += 4) importance[i] = 1.0f;
      const auto plain = decode(format, encode(format, ordinary, columns, nullptr));
      const auto weighted = decode(format, encode(format, ordinary, columns, importance.data()));
      CHECK(weighted_error(ordinary, weighted, importance) < weighted_error(ordinary, plain, importance));
    }
  });
}

TEST_CASE("floats encode to floats") {
  const std::vector<float> row = {0.0f, -1.5f, 3.14159f, 1e-8f, 65504.0f, 1e30f};
  CHECK(decode(Format::f32, encode(Format::f32, row, 6, nullptr)) == row);
  const auto half = decode(Format::f16, encode(Format::f16, row, 6, nullptr));
  CHECK(half[1] == -1.5f);
  CHECK(half[4] == 65504.0f);
  CHECK(half[5] == std::numeric_limits<float>::infinity());
  const auto brain = decode(Format::bf16, encode(Format::bf16, row, 6, nullptr));
  CHECK(brain[2] == 3.140625f);
  CHECK(brain[1] == -1.5f);
}

} // namespace kern
