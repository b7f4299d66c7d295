#include "convert/packed_rows.h"

#include <array>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "quant/formats.h"

namespace kern {

namespace {

using Packing = PackedMatrix::Packing;

/// In which nibble of a word AWQ keeps each of its eight rows.
constexpr std::array<unsigned, 8> awq_nibbles = {0, 4, 1, 5, 2, 6, 3, 7};

void expect_type(const StoredTensor& tensor, StoredType type) {
  if (tensor.type != type)
    tensor.fail(
        fmt::format("found numbers of type {}, expected {}", stored_type_name(tensor.type), stored_type_name(type)));
}

void expect_shape(const StoredTensor& tensor, std::vector<std::uint64_t> shape) {
  if (tensor.shape == shape) return;
  StoredTensor wanted;
  wanted.shape = std::move(shape);
  tensor.fail(fmt::format("found the shape {}, expected {}; the tensors of this matrix don't fit each other",
                          tensor.shape_text(), wanted.shape_text()));
}

std::uint32_t word(const StoredTensor& tensor, std::uint64_t index) {
  std::uint32_t value;
  std::memcpy(&value, tensor.bytes.data() + index * 4, 4);
  return value;
}

/// A packed matrix with its scales and zero points unpacked: one in group_size of its weights, so they are small.
class PackedReader : public RowReader {
public:
  PackedReader(const PackedMatrix& matrix, RowOrder order) : matrix_(matrix), order_(order) {
    read_sizes();
    read_groups();
    read_scales();
  }

  std::uint64_t rows() const { return rows_; }
  std::uint64_t columns() const { return columns_; }
  Format format() const { return format_; }

  /// Chooses a block format that holds the same weights, where there is one.
  void keep_exact() {
    if (!in_order_ || group_size_ % 32 != 0 || columns_ % 32 != 0) return;
    bool symmetric = true;
    bool exact_minimum = true;
    for (std::size_t i = 0; i < scales_.size(); ++i) {
      if (to_float(to_half(scales_[i])) != scales_[i] || !std::isfinite(scales_[i])) return;
      symmetric = symmetric && zeros_[i] == 8;
      const float minimum = -scales_[i] * static_cast<float>(zeros_[i]);
      exact_minimum = exact_minimum && to_float(to_half(minimum)) == minimum;
    }
    if (symmetric) format_ = Format::q4_0;
    else if (exact_minimum) format_ = Format::q4_1;
  }

  void read(std::int64_t begin, std::int64_t count, std::byte* out) const override {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(count) * columns_);
    if (matrix_.packing == Packing::gptq) unpack_gptq(begin, count, codes.data());
    else unpack_awq(begin, count, codes.data());
    const std::size_t bytes = row_bytes(format_, columns_);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint8_t* from = codes.data() + static_cast<std::size_t>(i) * columns_;
      const auto row = static_cast<std::uint64_t>(order_.stored(begin + i));
      std::byte* to = out + static_cast<std::size_t>(i) * bytes;
      if (format_ == Format::f32) write_floats(row, from, to);
      else if (format_ == Format::q4_0) write_blocks<Q4_0>(row, from, to);
      else write_blocks<Q4_1>(row, from, to);
    }
  }

  std::vector<std::span<const std::byte>> sources() const override { return {matrix_.codes->bytes}; }

private:
  void read_sizes() {
    const StoredTensor& codes = *matrix_.codes;
    for (const StoredTensor* tensor : {matrix_.codes, matrix_.zeros}) {
      expect_type(*tensor, StoredType::i32);
      if (tensor->shape.size() != 2)
        tensor->fail(fmt::format("found the shape {}, expected a matrix", tensor->shape_text()));
    }
    rows_ = codes.shape[1] * (matrix_.packing == Packing::awq ? 8 : 1);
    columns_ = codes.shape[0] * (matrix_.packing == Packing::gptq ? 8 : 1);
    group_size_ = matrix_.group_size ? matrix_.group_size : columns_;
    if (rows_ == 0 || columns_ == 0 || rows_ % 8 != 0 || columns_ % group_size_ != 0)
      codes.fail(fmt::format("found {} rows of {} weights, expected a multiple of 8 rows, and of {} weights", rows_,
                             columns_, group_size_));
    groups_ = columns_ / group_size_;
    expect_shape(*matrix_.zeros, {groups_, rows_ / 8});
    expect_shape(*matrix_.scales, {groups_, rows_});
  }

  void read_groups() {
    group_of_.resize(columns_);
    for (std::uint64_t c = 0; c < columns_; ++c) group_of_[c] = static_cast<std::uint32_t>(c / group_size_);
    if (!matrix_.groups) return;
    expect_type(*matrix_.groups, StoredType::i32);
    expect_shape(*matrix_.groups, {columns_});
    for (std::uint64_t c = 0; c < columns_; ++c) {
      const std::uint32_t group = word(*matrix_.groups, c);
      if (group >= groups_)
        matrix_.groups->fail(fmt::format("found the group {} for column {}, expected less than {}",
                                         static_cast<std::int32_t>(group), c, groups_));
      in_order_ = in_order_ && group == group_of_[c];
      group_of_[c] = group;
    }
  }

  void read_scales() {
    scales_ = stored_floats(*matrix_.scales);
    zeros_.resize(scales_.size());
    for (std::uint64_t g = 0; g < groups_; ++g)
      for (std::uint64_t r = 0; r < rows_; ++r) {
        const unsigned nibble = matrix_.packing == Packing::awq ? awq_nibbles[r % 8] : static_cast<unsigned>(r % 8);
        const std::uint32_t packed = word(*matrix_.zeros, g * (rows_ / 8) + r / 8);
        zeros_[g * rows_ + r] =
            static_cast<std::uint8_t>(static_cast<int>((packed >> (nibble * 4)) & 15u) + matrix_.zero_offset);
      }
  }

  /// codes [count, columns]
  void unpack_gptq(std::int64_t begin, std::int64_t count, std::uint8_t* codes) const {
    // Words of neighbouring rows lie side by side: rows are the inner loop.
    for (std::uint64_t w = 0; w < columns_ / 8; ++w)
      for (std::int64_t i = 0; i < count; ++i) {
        const std::uint32_t packed =
            word(*matrix_.codes, w * rows_ + static_cast<std::uint64_t>(order_.stored(begin + i)));
        std::uint8_t* to = codes + static_cast<std::size_t>(i) * columns_ + w * 8;
        for (unsigned n = 0; n < 8; ++n) to[n] = static_cast<std::uint8_t>((packed >> (4 * n)) & 15u);
      }
  }

  void unpack_awq(std::int64_t begin, std::int64_t count, std::uint8_t* codes) const {
    for (std::uint64_t c = 0; c < columns_; ++c)
      for (std::int64_t i = 0; i < count; ++i) {
        const auto row = static_cast<std::uint64_t>(order_.stored(begin + i));
        const std::uint32_t packed = word(*matrix_.codes, c * (rows_ / 8) + row / 8);
        codes[static_cast<std::size_t>(i) * columns_ + c] =
            static_cast<std::uint8_t>((packed >> (awq_nibbles[row % 8] * 4)) & 15u);
      }
  }

  void write_floats(std::uint64_t row, const std::uint8_t* codes, std::byte* out) const {
    for (std::uint64_t c = 0; c < columns_; ++c) {
      const std::size_t at = group_of_[c] * rows_ + row;
      const float value = scales_[at] * static_cast<float>(static_cast<int>(codes[c]) - static_cast<int>(zeros_[at]));
      std::memcpy(out + c * sizeof value, &value, sizeof value);
    }
  }

  template <class Traits> void write_blocks(std::uint64_t row, const std::uint8_t* codes, std::byte* out) const {
    for (std::uint64_t c = 0; c < columns_; c += 32) {
      const std::size_t at = group_of_[c] * rows_ + row;
      typename Traits::Block block;
      block.d = to_half(scales_[at]);
      if constexpr (Traits::has_min) block.m = to_half(-scales_[at] * static_cast<float>(zeros_[at]));
      pack_nibbles(codes + c, 16, block.codes);
      std::memcpy(out + c / 32 * sizeof block, &block, sizeof block);
    }
  }

  PackedMatrix matrix_;
  RowOrder order_;
  std::uint64_t rows_ = 0;
  std::uint64_t columns_ = 0;
  std::uint64_t groups_ = 0;
  std::uint64_t group_size_ = 0;
  bool in_order_ = true; // whether groups are runs of columns
  Format format_ = Format::f32;
  std::vector<std::uint32_t> group_of_; // [columns]
  std::vector<float> scales_;           // [groups, rows]
  std::vector<std::uint8_t> zeros_;     // [groups, rows]
};

} // namespace

PackedRows make_packed_rows(const PackedMatrix& matrix, RowOrder order, bool keep_exact) {
  auto reader = std::make_unique<PackedReader>(matrix, order);
  if (keep_exact) reader->keep_exact();
  PackedRows packed;
  packed.rows = reader->rows();
  packed.columns = reader->columns();
  packed.format = reader->format();
  packed.reader = std::move(reader);
  return packed;
}

} // namespace kern
