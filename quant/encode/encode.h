// Floats -> blocks. Every encoder looks for the scale (and minimum) with the least weighted squared error; the
// instruction set changes no bit of the result.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/format_id.h"

namespace kern {

/// A run of whole blocks of one row of a matrix or of several rows that follow each other.
struct EncodeShare {
  const float* x = nullptr; // [blocks * width], finite
  const float* importance =
      nullptr;              // [columns] >= 0 and finite, a weight for the squared error of each column; or null: all 1
  int columns = 0;          // of a row, a multiple of the format's width
  std::int64_t blocks = 0;  // x begins at the first column
  std::byte* out = nullptr; // [blocks] blocks
};

/// Encodes a share. Blocks are independent of each other, so that how rows are shared out changes nothing.
using Encode = void (*)(Format format, const EncodeShare& share);

// One for each instruction set; kernels/cpu/kernels.h says which one this machine runs.
void encode_portable(Format format, const EncodeShare& share);
void encode_avx2(Format format, const EncodeShare& share);
void encode_avx512(Format format, const EncodeShare& share);
void encode_neon(Format format, const EncodeShare& share);

} // namespace kern
