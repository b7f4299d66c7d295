// Matrices in the 4-bit packings of GPTQ and AWQ.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "convert/stored_rows.h"

namespace kern {

/// The tensors of one packed matrix of `columns` inputs and `rows` outputs: weight [row, column] is
/// scales[g, row] * (code - zero[g, row]), where g is the column's group.
///   GPTQ: qweight [columns / 8, rows], eight codes of one row in a word, the first in its lowest bits; qzeros
///         [groups, rows / 8], less one in version 1; g_idx [columns] the groups. AutoGPTQ, GPTQModel.
///   AWQ:  qweight [columns, rows / 8], eight rows in a word in the order 0, 2, 4, 6, 1, 3, 5, 7; qzeros alike, one row
///         for each group of columns. AutoAWQ, "gemm".
struct PackedMatrix {
  enum class Packing { gptq, awq };
  Packing packing{};
  const StoredTensor* codes = nullptr;
  const StoredTensor* zeros = nullptr;
  const StoredTensor* scales = nullptr;
  const StoredTensor* groups = nullptr; // g_idx, or null
  std::uint64_t group_size = 0;         // 0: one group
  int zero_offset = 0;                  // added to what qzeros holds
};

struct PackedRows {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  Format format{};
  std::unique_ptr<RowReader> reader;
};

/// Rows in Q4_0 or Q4_1 where one of them holds the very same weights and `keep_exact` asks for it, else in F32. Throws
/// Error(model) where types, shapes or groups don't fit each other.
PackedRows make_packed_rows(const PackedMatrix& matrix, RowOrder order, bool keep_exact);

} // namespace kern
