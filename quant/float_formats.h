// F32, F16 and BF16: one number a block, products in floating point.
#pragma once

#include "quant/format_id.h"
#include "quant/half.h"

namespace kern {

struct F32 {
  using Block = float;
  static_assert(sizeof(Block) == 4);
  static constexpr Format id = Format::f32;
  static constexpr const char* name = "F32";
  static constexpr bool is_float = true;
  static constexpr int width = 1;
  KERN_INLINE static void decode(const Block& block, float* out) { *out = block; }
};

struct F16 {
  using Block = Half;
  static_assert(sizeof(Block) == 2);
  static constexpr Format id = Format::f16;
  static constexpr const char* name = "F16";
  static constexpr bool is_float = true;
  static constexpr int width = 1;
  KERN_INLINE static void decode(const Block& block, float* out) { *out = to_float(block); }
};

struct BF16 {
  using Block = BFloat16;
  static_assert(sizeof(Block) == 2);
  static constexpr Format id = Format::bf16;
  static constexpr const char* name = "BF16";
  static constexpr bool is_float = true;
  static constexpr int width = 1;
  KERN_INLINE static void decode(const Block& block, float* out) { *out = to_float(block); }
};

} // namespace kern
