// Rows of a checkpoint's tensors as GGUF has them: in another order, from FP8, from the packings of GPTQ and AWQ.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "convert/safetensors.h"
#include "model/row_reader.h"
#include "quant/format_id.h"

namespace kern {

/// Which stored row a row is. llama's q and k go from rotating halves of a head against each other to rotating
/// neighbours.
struct RowOrder {
  std::int64_t head_rows = 0; // 0: as stored

  std::int64_t stored(std::int64_t row) const {
    if (head_rows == 0) return row;
    const std::int64_t within = row % head_rows;
    return row - within + (within % 2) * (head_rows / 2) + within / 2;
  }
};

/// Throws Error(model) where a tensor's numbers aren't F64, F32, F16, BF16 or F8_E4M3.
void expect_floats(const StoredTensor& tensor);

/// One number of such a tensor.
float stored_float(const StoredTensor& tensor, std::uint64_t index);

/// All numbers of a tensor of type F64, F32, F16, BF16 or F8 as floats. Throws Error(model) for another type.
std::vector<float> stored_floats(const StoredTensor& tensor);

/// F32, F16 or BF16 for a tensor of that type; nothing for others.
std::optional<Format> stored_format(StoredType type);

/// One row of numbers in memory, as F32.
std::unique_ptr<RowReader> make_held_row(std::vector<float> values);

/// Rows that are only in another order.
std::unique_ptr<RowReader> make_reordered_rows(const StoredTensor& tensor, RowOrder order);

/// F8_E4M3 [rows, columns] times a scale, as F32. The scale: one for all, one a row, or one for each block of
/// `block` [rows, columns]; null: 1. Throws Error(model) where its shape fits none of these.
std::unique_ptr<RowReader> make_fp8_rows(const StoredTensor& tensor, const StoredTensor* scale,
                                         std::span<const std::uint64_t> block, RowOrder order);

} // namespace kern
