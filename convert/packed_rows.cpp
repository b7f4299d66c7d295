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

/// What the groups of one row share.
struct RowGroups {
  std::vector<float> scales;       // [groups]
  std::vector<std::uint8_t> zeros; // [groups]
};

/// Reads a packed matrix where it lies: nothing of it is held but the columns' groups.
class PackedReader : public RowReader {
public:
  PackedReader(const PackedMatrix& matrix, RowOrder order) : matrix_(matrix), order_(order) {
    read_sizes();
    read_groups();
  }

  std::uint64_t rows() const { return rows_; }
  std::uint64_t columns() const { return columns_; }
  Format format() const { return format_; }

  /// Chooses a block format that holds the same weights, where there is one.
  void keep_exact() {
    if (!in_order_ || group_size_ % 32 != 0 || columns_ % 32 != 0) return;
    bool symmetric = true;
    bool exact_minimum = true;
    RowGroups groups;
    for (std::uint64_t row = 0; row < rows_; ++row) {
      read_row_groups(row, groups);
      for (std::size_t g = 0; g < groups_; ++g) {
        const float scale = groups.scales[g];
        if (to_float(to_half(scale)) != scale || !std::isfinite(scale)) return;
        symmetric = symmetric && groups.zeros[g] == 8;
        const float minimum = -scale * static_cast<float>(groups.zeros[g]);
        exact_minimum = exact_minimum && to_float(to_half(minimum)) == minimum;
      }
      if (!symmetric && !exact_minimum) return;
    }
    format_ = symmetric ? Format::q4_0 : Format::q4_1;
  }

  void read(std::int64_t begin, std::int64_t count, std::byte* out) const override {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(count) * columns_);
    if (matrix_.packing == Packing::gptq) unpack_gptq(begin, count, codes.data());
    else unpack_awq(begin, count, codes.data());
    const std::size_t bytes = row_bytes(format_, columns_);
    RowGroups groups;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint8_t* from = codes.data() + static_cast<std::size_t>(i) * columns_;
      const auto row = static_cast<std::uint64_t>(order_.stored(begin + i));
      std::byte* to = out + static_cast<std::size_t>(i) * bytes;
      read_row_groups(row, groups);
      if (format_ == Format::f32) write_floats(groups, from, to);
      else if (format_ == Format::q4_0) write_blocks<Q4_0>(groups, from, to);
      else write_blocks<Q4_1>(groups, from, to);
    }
  }

  std::vector<std::span<const std::byte>> sources() const override {
    return {matrix_.codes->bytes, matrix_.zeros->bytes, matrix_.scales->bytes};
  }

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
    expect_floats(*matrix_.scales);
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

  void read_row_groups(std::uint64_t row, RowGroups& groups) const {
    groups.scales.resize(groups_);
    groups.zeros.resize(groups_);
    const unsigned nibble = matrix_.packing == Packing::awq ? awq_nibbles[row % 8] : static_cast<unsigned>(row % 8);
    for (std::uint64_t g = 0; g < groups_; ++g) {
      groups.scales[g] = stored_float(*matrix_.scales, g * rows_ + row);
      const std::uint32_t packed = word(*matrix_.zeros, g * (rows_ / 8) + row / 8);
      groups.zeros[g] =
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

  void write_floats(const RowGroups& groups, const std::uint8_t* codes, std::byte* out) const {
    for (std::uint64_t c = 0; c < columns_; ++c) {
      const std::size_t g = group_of_[c];
      const float value =
          groups.scales[g] * static_cast<float>(static_cast<int>(codes[c]) - static_cast<int>(groups.zeros[g]));
      std::memcpy(out + c * sizeof value, &value, sizeof value);
    }
  }

  template <class Traits> void write_blocks(const RowGroups& groups, const std::uint8_t* codes, std::byte* out) const {
    for (std::uint64_t c = 0; c < columns_; c += 32) {
      const std::size_t g = group_of_[c];
      typename Traits::Block block;
      block.d = to_half(groups.scales[g]);
      if constexpr (Traits::has_min) block.m = to_half(-groups.scales[g] * static_cast<float>(groups.zeros[g]));
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
