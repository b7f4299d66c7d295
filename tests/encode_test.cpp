// Encoders: as good as llama.cpp's on the same rows, the same bits on every instruction set, and sound on odd rows.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <bit>
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

/// Calls f(format) for every format that loses something.
template <class F> void for_each_encoder(F&& f) {
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float) f(Traits::id);
  });
}

template <class Traits> constexpr bool is_grid = requires { Traits::sign_kind; };

/// The codes of eight weights, from a format's book and levels. points: 1 or 2
template <class Traits> std::vector<int> codes_of_points(std::span<const std::uint16_t> points, std::uint8_t signs) {
  std::vector<int> numbers; // in the book
  for (int n = 0; n < Traits::book.numbers; ++n)
    if (Traits::book.set[n / 64] >> (n % 64) & 1u) numbers.push_back(n);
  constexpr int base = std::size(Traits::levels);
  constexpr int size = base == 3 ? 8 : 4;
  std::vector<int> codes;
  for (const std::uint16_t point : points)
    for (int i = 0, rest = numbers.at(point); i < size; ++i, rest /= base) {
      const int level = Traits::levels[rest % base];
      const bool signed_apart = Traits::sign_kind == GridSigns::even || Traits::sign_kind == GridSigns::free;
      if (signed_apart) codes.push_back(signs >> codes.size() & 1 ? -level : level);
      else codes.push_back(level + (signs ? -1 : 1));
    }
  return codes;
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
  CHECK(compared == 25 * 6);
}

TEST_CASE("a block holds each digit and scale where the format has it") {
  // Whatever stands beside it, the same digit has to be the same code everywhere, and another digit another code.
  const auto consistent = [](auto& known, int stored, float unpacked) {
    const auto [entry, fresh] = known.emplace(stored, unpacked);
    if (!fresh) return entry->second == unpacked;
    return std::ranges::count_if(known, [&](const auto& k) { return k.second == unpacked; }) == 1;
  };
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float && !is_grid<Traits>) {
      CAPTURE(Traits::name);
      constexpr Format id = Traits::id;
      constexpr int groups = Traits::width / Traits::group;
      // E2M1 has a zero of each sign; the last E4M3 is no number; MXFP4's two scales below 2 are subnormal.
      const int digits_end = id == Format::q8_0                                                 ? 256
                             : id == Format::q6_k                                               ? 64
                             : id == Format::q5_0 || id == Format::q5_1 || id == Format::q5_k   ? 32
                             : id == Format::q3_k || id == Format::mxfp4 || id == Format::nvfp4 ? 8
                             : id == Format::q2_k || id == Format::q2_0                         ? 4
                             : id == Format::tq1_0 || id == Format::tq2_0                       ? 3
                             : id == Format::q1_0                                               ? 2
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
          float_scales<Traits>(block, unpacked, minimums, &min_scale);
          CHECK(min_scale == 1.0f);
          if constexpr (groups > 1)
            for (int g = 0; g < groups; ++g) REQUIRE(consistent(mins_of, mins[g], minimums[g]));
        } else {
          float_scales<Traits>(block, unpacked);
        }
        if constexpr ((groups > 1 && id != Format::q1_0 && id != Format::q2_0) || id == Format::mxfp4)
          for (int g = 0; g < groups; ++g) REQUIRE(consistent(scales_of, scales[g], unpacked[g]));
        else REQUIRE(unpacked[0] == 1.0f);
      }
      CHECK(codes_of.size() == static_cast<std::size_t>(digits_end));
    }
  });
}

TEST_CASE("a block holds each point, sign and scale where the format has it") {
  int formats = 0;
  for_each_format([&]<class Traits>(Traits) {
    if constexpr (is_grid<Traits>) {
      CAPTURE(Traits::name);
      ++formats;
      constexpr int groups = 256 / Traits::group;
      constexpr std::size_t in_eight = std::size(Traits::levels) == 3 ? 1 : 2;
      unsigned book_size = 0;
      for (const std::uint64_t word : Traits::book.set) book_size += static_cast<unsigned>(std::popcount(word));
      test::RandomBits random(21);
      for (int round = 0; round < 50; ++round) {
        std::uint16_t points[64];
        std::uint8_t signs[32], scales[groups];
        for (std::uint16_t& point : points) point = static_cast<std::uint16_t>(random() % book_size);
        for (int e = 0; e < 32; ++e) {
          signs[e] = static_cast<std::uint8_t>(random());
          if (Traits::sign_kind == GridSigns::even && std::popcount(signs[e]) % 2) signs[e] ^= 128;
          if (Traits::sign_kind == GridSigns::shifted_eights) signs[e] &= 1;
          // A group's shift is said by each of its eights.
          if (Traits::sign_kind == GridSigns::shifted_groups) signs[e] = e % 4 ? signs[e - 1] : signs[e] & 1;
        }
        for (std::uint8_t& scale : scales) scale = static_cast<std::uint8_t>(random() % Traits::scale_count);
        typename Traits::Block block;
        std::memset(&block, static_cast<int>(random() & 255u), sizeof block); // what was there leaves no trace
        Traits::pack({to_half(2.0f), points, signs, scales}, block);
        std::int8_t codes[256];
        float unpacked[groups];
        Traits::unpack_codes(block, codes);
        float_scales<Traits>(block, unpacked);
        for (std::size_t e = 0; e < 32; ++e) {
          const auto expected = codes_of_points<Traits>(std::span(points).subspan(e * in_eight, in_eight), signs[e]);
          REQUIRE(std::vector<int>(codes + e * 8, codes + e * 8 + 8) == expected);
        }
        for (int g = 0; g < groups; ++g)
          REQUIRE(unpacked[g] == 2.0f * Traits::unit * static_cast<float>(2 * scales[g] + 1));
      }
    }
  });
  CHECK(formats == 7);
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
      if (format == Format::q1_0) return; // all values have one magnitude
      std::vector<float> row = ordinary;
      row[100] = -1000.0f;
      const float kept = decode(format, encode(format, row, columns, nullptr))[100];
      // E2M1 with a power of two: a quarter off at worst. The grid formats have no zero, so that a scale for the one
      // would give the others more error than it takes away: IQ1's and IQ2's lowest level is an eighth or a fifth of
      // their highest.
      double most = 0.26;
      visit_format(format, [&]<class Traits>(Traits) {
        if constexpr (is_grid<Traits>)
          most = !std::is_unsigned_v<std::remove_cvref_t<decltype(Traits::levels[0])>> ? 0.3
                 : std::size(Traits::levels) == 3                                      ? 0.55
                                                                                       : 0.26;
      });
      CHECK(kept == doctest::Approx(-1000.0f).epsilon(most));
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

TEST_CASE("values that are all alike are encoded nearly as they are") {
  for_each_encoder([&](Format format) {
    CAPTURE(find_format(format)->name);
    double most = 0.05; // scales of few bits
    visit_format(format, [&]<class Traits>(Traits) {
      if (is_grid<Traits>) most = 0.001; // one binary16 number says it all
    });
    for (const float value : {0.37f, -2.0f, 123.0f}) {
      const std::vector<float> row(1024, value);
      const auto decoded = decode(format, encode(format, row, 1024, nullptr));
      CHECK(weighted_error(row, decoded, {}) <= most * static_cast<double>(std::fabs(value)));
    }
  });
}

TEST_CASE("formats of few bits keep the length of rows, which the least error would shrink") {
  const std::vector<float> row = random_row(16 * 1024, 0.02f, 31);
  for (const Format format : {Format::iq1_s, Format::iq1_m, Format::iq2_xxs, Format::iq2_xs, Format::iq2_s,
                              Format::iq3_xxs, Format::iq3_s, Format::q2_k}) {
    CAPTURE(find_format(format)->name);
    const auto decoded = decode(format, encode(format, row, 1024, nullptr));
    double product = 0;
    double squares = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      product += static_cast<double>(row[i]) * static_cast<double>(decoded[i]);
      squares += static_cast<double>(row[i]) * static_cast<double>(row[i]);
    }
    CHECK(product / squares > 0.95); // with the least error 0.8 to 0.97
    CHECK(product / squares < 1.01);
  }
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
