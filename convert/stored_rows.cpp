#include "convert/stored_rows.h"

#include <array>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "quant/half.h"

namespace kern {

namespace {

template <class T> T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/// E4M3 without infinities (OCP 8-bit floating point): 4 exponent bits with bias 7, 3 fraction bits, all ones a NaN.
float e4m3_float(unsigned bits) {
  const unsigned exponent = (bits >> 3) & 15u;
  const unsigned fraction = bits & 7u;
  float value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                              : std::ldexp(static_cast<float>(8u + fraction), static_cast<int>(exponent) - 10);
  if ((bits & 0x7Fu) == 0x7Fu) value = bits_float(0x7FC00000u);
  return bits & 0x80u ? -value : value;
}

std::array<float, 256> make_e4m3_table() {
  std::array<float, 256> table{};
  for (unsigned bits = 0; bits < 256; ++bits) table[bits] = e4m3_float(bits);
  return table;
}

const std::array<float, 256> e4m3_table = make_e4m3_table();

class HeldRow : public RowReader {
public:
  explicit HeldRow(std::vector<float> values) : values_(std::move(values)) {}

  void read(std::int64_t, std::int64_t count, std::byte* out) const override {
    if (count > 0) std::memcpy(out, values_.data(), values_.size() * sizeof(float));
  }
  std::vector<std::span<const std::byte>> sources() const override { return {}; }

private:
  std::vector<float> values_;
};

class ReorderedRows : public RowReader {
public:
  ReorderedRows(const StoredTensor& tensor, RowOrder order)
      : bytes_(tensor.bytes), row_bytes_(tensor.bytes.size() / tensor.shape[0]), order_(order) {}

  void read(std::int64_t begin, std::int64_t count, std::byte* out) const override {
    for (std::int64_t i = 0; i < count; ++i)
      std::memcpy(out + static_cast<std::size_t>(i) * row_bytes_,
                  bytes_.data() + static_cast<std::size_t>(order_.stored(begin + i)) * row_bytes_, row_bytes_);
  }
  std::vector<std::span<const std::byte>> sources() const override { return {bytes_}; }

private:
  std::span<const std::byte> bytes_;
  std::size_t row_bytes_;
  RowOrder order_;
};

class Fp8Rows : public RowReader {
public:
  Fp8Rows(const StoredTensor& tensor, const StoredTensor* scale, std::span<const std::uint64_t> block, RowOrder order)
      : bytes_(tensor.bytes), columns_(tensor.shape[1]), order_(order) {
    const std::uint64_t rows = tensor.shape[0];
    scales_ = scale ? stored_floats(*scale) : std::vector<float>{1.0f};
    block_rows_ = rows;
    block_columns_ = columns_;
    if (scales_.size() == 1) return;
    if (scales_.size() == rows && (scale->shape.size() == 1 || scale->shape.back() == 1)) {
      block_rows_ = 1;
      return;
    }
    const bool fits = block.size() == 2 && block[0] > 0 && block[1] > 0 && scale->shape.size() == 2 &&
                      scale->shape[0] == (rows + block[0] - 1) / block[0] &&
                      scale->shape[1] == (columns_ + block[1] - 1) / block[1];
    if (!fits)
      scale->fail(fmt::format("found the shape {} for a matrix {}{}; expected one scale for all, one a row, or one for "
                              "each block that config.json's quantization_config names",
                              scale->shape_text(), tensor.shape_text(),
                              block.size() == 2 ? fmt::format(" in blocks of {} x {}", block[0], block[1]) : ""));
    block_rows_ = block[0];
    block_columns_ = block[1];
  }

  void read(std::int64_t begin, std::int64_t count, std::byte* out) const override {
    const std::uint64_t across = (columns_ + block_columns_ - 1) / block_columns_;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = static_cast<std::uint64_t>(order_.stored(begin + i));
      const std::byte* from = bytes_.data() + row * columns_;
      const float* scales = scales_.data() + row / block_rows_ * across;
      for (std::uint64_t c = 0; c < columns_; ++c) {
        const float value = e4m3_table[static_cast<std::size_t>(from[c])] * scales[c / block_columns_];
        std::memcpy(out, &value, sizeof value);
        out += sizeof value;
      }
    }
  }
  std::vector<std::span<const std::byte>> sources() const override { return {bytes_}; }

private:
  std::span<const std::byte> bytes_;
  std::uint64_t columns_;
  std::uint64_t block_rows_ = 1;
  std::uint64_t block_columns_ = 1;
  std::vector<float> scales_; // [blocks of rows, blocks of columns]
  RowOrder order_;
};

} // namespace

std::optional<Format> stored_format(StoredType type) {
  switch (type) {
  case StoredType::f32: return Format::f32;
  case StoredType::f16: return Format::f16;
  case StoredType::bf16: return Format::bf16;
  default: return std::nullopt;
  }
}

void expect_floats(const StoredTensor& tensor) {
  if (tensor.type != StoredType::f64 && tensor.type != StoredType::f8_e4m3 && !stored_format(tensor.type))
    tensor.fail(fmt::format("found numbers of type {}, expected F32, F16 or BF16", stored_type_name(tensor.type)));
}

float stored_float(const StoredTensor& tensor, std::uint64_t index) {
  const std::byte* from = tensor.bytes.data() + index * stored_type_bytes(tensor.type);
  switch (tensor.type) {
  case StoredType::f64: return static_cast<float>(load<double>(from));
  case StoredType::f32: return load<float>(from);
  case StoredType::f16: return to_float(load<Half>(from));
  case StoredType::bf16: return to_float(load<BFloat16>(from));
  default: return e4m3_table[static_cast<std::size_t>(*from)];
  }
}

std::vector<float> stored_floats(const StoredTensor& tensor) {
  expect_floats(tensor);
  std::vector<float> floats(tensor.elements());
  for (std::size_t i = 0; i < floats.size(); ++i) floats[i] = stored_float(tensor, i);
  return floats;
}

std::unique_ptr<RowReader> make_held_row(std::vector<float> values) {
  return std::make_unique<HeldRow>(std::move(values));
}

std::unique_ptr<RowReader> make_reordered_rows(const StoredTensor& tensor, RowOrder order) {
  return std::make_unique<ReorderedRows>(tensor, order);
}

std::unique_ptr<RowReader> make_fp8_rows(const StoredTensor& tensor, const StoredTensor* scale,
                                         std::span<const std::uint64_t> block, RowOrder order) {
  return std::make_unique<Fp8Rows>(tensor, scale, block, order);
}

} // namespace kern
