// Formats: bit-exact against the gguf package's dequantizers, on random blocks and extreme codes.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "quant/formats.h"
#include "tests/fixtures.h"

namespace kern {

namespace {

/// Layout of tests/data/quant/*.bin: "KQF1", format id, rows, weights a row, blocks, floats.
struct QuantFixture {
  std::uint32_t format, rows, columns;
  std::vector<std::byte> blocks;
  std::vector<float> expected;
};

QuantFixture read_quant_fixture(const std::string& name) {
  const std::vector<char> file = test::read_file(test::data_path("quant/" + name + ".bin"));
  QuantFixture fixture{};
  REQUIRE(file.size() > 16);
  REQUIRE(std::memcmp(file.data(), "KQF1", 4) == 0);
  std::memcpy(&fixture.format, file.data() + 4, 12);
  const std::size_t floats = static_cast<std::size_t>(fixture.rows) * fixture.columns;
  REQUIRE(file.size() > 16 + floats * 4);
  fixture.blocks.resize(file.size() - 16 - floats * 4);
  fixture.expected.resize(floats);
  std::memcpy(fixture.blocks.data(), file.data() + 16, fixture.blocks.size());
  std::memcpy(fixture.expected.data(), file.data() + 16 + fixture.blocks.size(), floats * 4);
  return fixture;
}

/// binary16 by its definition.
float half_by_definition(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return static_cast<float>(bits & 0x8000 ? -magnitude : magnitude);
}

} // namespace

TEST_CASE("every format decodes as the gguf package does") {
  for_each_format([]<class Traits>(Traits) {
    if constexpr (Traits::id == Format::f32) return; // nothing to decode
    CAPTURE(Traits::name);
    const QuantFixture fixture = read_quant_fixture(Traits::name);
    CHECK(fixture.format == static_cast<std::uint32_t>(Traits::id));
    REQUIRE(fixture.blocks.size() == fixture.rows * row_bytes(Traits::id, fixture.columns));
    const auto* blocks = reinterpret_cast<const typename Traits::Block*>(fixture.blocks.data());
    std::vector<float> decoded(fixture.expected.size());
    for (std::size_t b = 0; b < decoded.size() / Traits::width; ++b)
      Traits::decode(blocks[b], decoded.data() + b * Traits::width);
    CHECK(std::memcmp(decoded.data(), fixture.expected.data(), decoded.size() * sizeof(float)) == 0);
  });
}

TEST_CASE("block sizes are those of the file format") {
  const auto bits = [](Format format) { return find_format(format)->bits_per_weight(); };
  CHECK(bits(Format::q4_0) == 4.5);
  CHECK(bits(Format::q8_0) == 8.5);
  CHECK(bits(Format::q4_k) == 4.5);
  CHECK(bits(Format::q5_k) == 5.5);
  CHECK(bits(Format::q6_k) == 6.5625);
  CHECK_FALSE(find_format(static_cast<Format>(12345)).has_value());
}

TEST_CASE("binary16 converts exactly, both ways, for every pattern") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const Half half{static_cast<std::uint16_t>(bits)};
    const float value = to_float(half);
    const bool is_nan = (bits & 0x7C00) == 0x7C00 && (bits & 0x3FF) != 0;
    if (is_nan) {
      REQUIRE(std::isnan(value));
      REQUIRE(std::isnan(to_float(to_half(value))));
      continue;
    }
    if ((bits & 0x7FFF) != 0x7C00) REQUIRE(value == half_by_definition(half.bits));
    else REQUIRE(std::isinf(value));
    REQUIRE(to_half(value).bits == bits);
  }
}

TEST_CASE("rounding to binary16 is to nearest, ties to even") {
  // Between every two neighbours: the middle goes to the even one, the floats beside the middle to the nearer one.
  for (std::uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    const float low = half_by_definition(static_cast<std::uint16_t>(bits));
    const float high = half_by_definition(static_cast<std::uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2; // exact: one more fraction bit
    REQUIRE(to_half(middle).bits == (bits & 1 ? bits + 1 : bits));
    REQUIRE(to_half(std::nextafter(middle, low)).bits == bits);
    REQUIRE(to_half(std::nextafter(middle, high)).bits == bits + 1);
    REQUIRE(to_half(-middle).bits == ((bits & 1 ? bits + 1 : bits) | 0x8000));
  }
  CHECK(to_half(65519.99f).bits == 0x7BFF);
  CHECK(to_half(65520.0f).bits == 0x7C00);
  CHECK(to_half(1e30f).bits == 0x7C00);
}

TEST_CASE("rounding to bfloat16 is to nearest, ties to even") {
  CHECK(to_bfloat16(1.0f).bits == 0x3F80);
  CHECK(to_bfloat16(bits_float(0x3F808000)).bits == 0x3F80);
  CHECK(to_bfloat16(bits_float(0x3F818000)).bits == 0x3F82);
  CHECK(to_bfloat16(bits_float(0x3F808001)).bits == 0x3F81);
  CHECK(std::isnan(to_float(to_bfloat16(NAN))));
  CHECK(std::isinf(to_float(to_bfloat16(INFINITY))));
}

} // namespace kern
