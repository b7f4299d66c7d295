// The bodies of the CPU operations as a table of functions, one table for each instruction set. Every function does one
// thread's share and gives the same bits in every table.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"

namespace kern {

/// Activations rounded to int8 for products with one kind of weights.
struct QuantizedRows {
  std::int8_t* codes = nullptr; // [n][columns]
  float* scales = nullptr;      // [n][columns / block]
  std::int16_t* sums = nullptr; // [n][columns / 16]: exact sums of 16 codes
  int block = 0;                // 32 or 256
};

/// One thread's share of a product.
struct ProductShare {
  const std::byte* weights = nullptr; // row 0
  std::size_t row_bytes = 0;
  int columns = 0;
  std::int64_t row_begin = 0;
  std::int64_t row_end = 0;
  int tokens = 0;           // n
  const float* x = nullptr; // [n][columns], float formats
  QuantizedRows quantized;  // quantized formats
  float* out = nullptr;     // [n][out_stride], element [t][row]
  std::int64_t out_stride = 0;
  std::byte* scratch = nullptr; // product_scratch_bytes(columns)
};

/// One thread's share of attention: query rows [row_begin, row_end) of one sequence, one KV head.
struct AttentionShare {
  AttentionShape shape;
  KvLayer cache;
  const std::int32_t* page_table = nullptr; // of the sequence
  const std::int32_t* positions = nullptr;  // [n]
  int kv_head = 0;
  int row_begin = 0;
  int row_end = 0;          // at most attention_tile rows
  const float* q = nullptr; // [n][heads * key_dim]
  float* out = nullptr;     // [n][heads * value_dim]
  float* scratch = nullptr; // attention_scratch_floats()
};

/// Query rows that share one pass over a chunk of keys and values.
inline constexpr int attention_tile = 8;

inline std::size_t product_scratch_bytes(std::int64_t columns) {
  // Codes and, for each 16 weights, a scale and a minimum; or the row as floats.
  return static_cast<std::size_t>(columns) * 4 + 64;
}

inline std::size_t attention_scratch_floats(int group, int key_dim, int value_dim) {
  const int states = attention_tile * group;
  return static_cast<std::size_t>(page_positions) * static_cast<std::size_t>(key_dim + value_dim) +
         static_cast<std::size_t>(states) * static_cast<std::size_t>(value_dim + 2) +
         static_cast<std::size_t>(page_positions) * static_cast<std::size_t>(group) +
         static_cast<std::size_t>(value_dim);
}

struct CpuKernels {
  const char* name;
  void (*product)(Format format, const ProductShare& share);
  /// Rounds one row [columns] into row `index` of `out`.
  void (*quantize)(const float* x, int columns, int index, const QuantizedRows& out);
  /// out [columns] = one row of `format`, times scale
  void (*decode_row)(Format format, const std::byte* row, int columns, float scale, float* out);
  void (*rms_norm)(const float* x, const float* weight, float epsilon, int columns, float* out);
  void (*activate)(const float* up, float* gate, std::int64_t count);
  /// x [heads][head_dim] in place; table [dims]: cosines, then sines
  void (*rotate)(RopePairs pairs, int dims, const float* table, int heads, int head_dim, float* x);
  /// k [kv_heads * key_dim] and v [kv_heads * value_dim] of one position into its page
  void (*store_kv)(const KvView& view, std::byte* page, int slot, const float* k, const float* v);
  void (*attention)(const AttentionShare& share);
};

extern const CpuKernels portable_kernels;
#if defined(__x86_64__)
extern const CpuKernels avx2_kernels;
extern const CpuKernels avx512_kernels;
#endif

/// The best table this machine can run, or the one $KERN_CPU names (portable, avx2, avx512). Throws
/// std::invalid_argument with one line where that is unknown or can't run here.
const CpuKernels& choose_cpu_kernels();

/// The same for a given name; empty: the best.
const CpuKernels& choose_cpu_kernels(const char* name);

} // namespace kern
