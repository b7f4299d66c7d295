// The bodies of the CPU operations as a table of functions, one table for each instruction set. Every function does one
// thread's share and gives the same bits in every table.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "quant/encode/encode.h"

namespace kern {

/// Activations rounded to int8 for products with one kind of weights: tiles of T tokens (as many as the instruction set
/// accumulates at once, the last tile fewer), interleaved in runs of R columns (4; 8 for i8mm, 32 and 64 for tile
/// registers). One token lies the same in all.
struct QuantizedRows {
  std::int8_t* codes = nullptr; // [tile][columns / R][T][R]
  float* scales = nullptr;      // [tile][columns / block][T]
  std::int16_t* sums = nullptr; // [tile][columns / 16][T]: exact sums of 16 codes
  int block = 0;                // 32 or 256
  int rows = 0;                 // n, tokens in all
};

/// Rows of weights that are interleaved, unpacked and multiplied together.
inline constexpr int panel_rows = 16;

/// Into which cache weights that come from memory are fetched ahead. Sapphire Rapids reads 12.5 GB/s with one core by
/// itself, 18 where it fetches into its first level. AMD's Zen 4 18 to 21 so, 26 to 28 by itself and 29 to 30 into its
/// second level; there only what isn't one long run is fetched ahead, see prefetch_block().
enum class CacheLevel { first, second };

/// One thread's share of a product.
struct ProductShare {
  const std::byte* weights = nullptr; // row 0
  std::size_t row_bytes = 0;
  bool interleaved = false; // panels of 16 rows instead of rows; panel i begins at 16 * i * row_bytes
  int columns = 0;
  std::int64_t row_begin = 0;           // a multiple of 16
  std::int64_t row_end = 0;             // a multiple of 16, or the number of rows
  CacheLevel ahead = CacheLevel::first; // of weights
  int tokens = 0;                       // n
  const float* x = nullptr;             // float formats: [n][columns]; more than float_direct_tokens tokens: arranged
  QuantizedRows quantized;              // quantized formats
  float* out = nullptr;                 // [n][out_stride], element [t][row]
  std::int64_t out_stride = 0;
  std::byte* scratch = nullptr; // product_scratch_bytes(columns)
  bool continues = false;       // the share before with the same scratch had the same x, format and layout
};

/// One thread's share of attention: query rows [row_begin, row_end) of one sequence, one KV head.
struct AttentionShare {
  AttentionShape shape;
  KvLayer cache;
  const std::int32_t* page_table = nullptr; // of the sequence
  const std::int32_t* positions = nullptr;  // [n]
  int kv_head = 0;
  int row_begin = 0;
  int row_end = 0;          // at most attention_rows(group) rows
  const float* q = nullptr; // [n][heads * key_dim]
  float* out = nullptr;     // [n][heads * value_dim]
  float* scratch = nullptr; // attention_scratch_floats()
};

/// Query rows that share one pass over a chunk of keys and values: about 128 queries of `group` heads each.
inline constexpr int attention_rows(int group) { return group >= 128 ? 1 : 128 / group; }

/// What is unpacked at a time: two panels by so many columns, 16 KB of codes, half of a first-level cache.
inline constexpr int chunk_columns = 512;
inline constexpr int chunk_rows = 2 * panel_rows;
/// Tokens that meet an unpacked panel: as many as leave their codes 1 MB of the second-level cache, so that 2048
/// columns of a prompt's 512 tokens just fit. In whole tiles of every instruction set, which all divide 48.
inline constexpr std::int64_t most_product_tokens = 528;
inline constexpr std::int64_t product_codes = most_product_tokens * 2048;
inline constexpr int product_tokens(std::int64_t columns) {
  const std::int64_t tokens = product_codes / (columns > 0 ? columns : 1) / 48 * 48;
  return static_cast<int>(tokens < 48 ? 48 : tokens > most_product_tokens ? most_product_tokens : tokens);
}
/// A run of a panel unpacked: two bytes a code; floats and whole scales of 16 codes, minimums of 16 and 32.
inline constexpr std::size_t chunk_scratch_bytes = chunk_columns * chunk_rows * 3;
/// A run of a panel interleaved; no block format takes more than 9 bits a weight.
inline constexpr std::size_t panel_scratch_bytes = chunk_columns * panel_rows * 9 / 8;

/// Up to so many tokens meet float weights as they lie; for more the activations are arranged and the weights turned.
inline constexpr int float_direct_tokens = 12;
/// Arranged activations: tiles of tokens, a lane after the other, [16][steps][T]; step s of lane l is column 16 * s +
/// l. Two steps to spare: lanes a power of two apart would share few sets of the caches.
inline constexpr std::ptrdiff_t float_lane_steps(std::int64_t columns) { return (columns + 15) / 16 + 2; }
/// Shares of tokens that are arranged apart begin at multiples of it.
inline constexpr int arranged_unit = 8;

/// Float weights are turned for so many rows at a time, all lanes of them where they fit the second-level cache, else
/// half of the lanes after the other, or a quarter ...
inline constexpr int float_panel_rows = 48;
inline constexpr std::size_t float_panel_bytes(std::int64_t columns, int lanes) {
  const auto steps = static_cast<std::size_t>((columns + 15) / 16 + 1);
  return static_cast<std::size_t>(lanes * float_panel_rows) * steps * sizeof(float);
}
inline constexpr std::size_t float_panel_most = std::size_t{5} << 18;
inline constexpr int float_lanes(std::int64_t columns) {
  int lanes = 16;
  while (lanes > 1 && float_panel_bytes(columns, lanes) > float_panel_most) lanes /= 2;
  return lanes;
}
/// Then the sums of so many tokens wait for the lanes to come; else of tokens that take turns, at most so many.
inline constexpr int float_waiting_tokens = 512;
inline constexpr int float_group_tokens = 32;
inline constexpr std::ptrdiff_t float_waiting(std::int64_t columns) { // floats
  return 4 * float_panel_rows * (float_lanes(columns) == 16 ? float_group_tokens : float_waiting_tokens);
}

/// Enough for matrices of up to so many columns.
inline std::size_t product_scratch_bytes(std::int64_t columns) {
  // Unpacked panel, results, a correction for each 16 activations: of as many as fit, or of 48 tokens where that is
  // more.
  const auto most_columns = static_cast<std::size_t>(columns);
  const std::size_t activations = most_columns * 48 > product_codes ? most_columns * 48 : product_codes;
  const std::size_t quantized = chunk_scratch_bytes + panel_scratch_bytes +
                                static_cast<std::size_t>(product_tokens(1)) * chunk_rows * sizeof(float) +
                                activations / 16 * sizeof(std::int32_t);
  // Float panels: of these columns, or of fewer that need more because all their lanes fit.
  const std::size_t all_lanes = float_panel_bytes(columns, 16);
  const std::size_t fewest_lanes = float_panel_bytes(columns, float_lanes(columns));
  const std::size_t panel = all_lanes < float_panel_most      ? all_lanes
                            : fewest_lanes < float_panel_most ? float_panel_most
                                                              : fewest_lanes;
  const std::size_t floats = panel + static_cast<std::size_t>(float_waiting(columns)) * sizeof(float);
  return (quantized > floats ? quantized : floats) + 64;
}

inline std::size_t attention_scratch_floats(int group, int key_dim, int value_dim) {
  const auto padded = [](int dim) { return static_cast<std::size_t>((dim + 15) / 16 * 16); };
  const auto queries = static_cast<std::size_t>(attention_rows(group) * group + 16); // rounded up to lanes and tiles
  const auto chunk = static_cast<std::size_t>(page_positions);
  return chunk * (padded(key_dim) + padded(value_dim)) +
         queries * (padded(key_dim) + chunk + 2 * padded(value_dim) + 6);
}

struct CpuKernels {
  const char* name;
  void (*product)(Format format, const ProductShare& share);
  /// Bytes of a row within a panel, as many as in the file or more; 0 for floats, which aren't interleaved.
  std::size_t (*interleaved_row_bytes)(Format format, std::int64_t columns);
  /// Up to 16 rows of row_bytes (missing ones become zeros) -> a panel of 16 * interleaved_row_bytes().
  void (*interleave)(Format format, const std::byte* rows, std::size_t row_bytes, int count, int columns,
                     std::byte* panel);
  /// Rounds one row [columns] into token `index` of `out`.
  void (*quantize)(const float* x, int columns, int index, const QuantizedRows& out);
  /// Arranges tokens [begin, end) of x [n][columns] into their place in out [n][16 * float_lane_steps(columns)]. Both
  /// are multiples of arranged_unit, or the end n.
  void (*arrange)(const float* x, int columns, int begin, int end, float* out);
  /// out [columns] = one row of `format`, times scale
  void (*decode_row)(Format format, const std::byte* row, int columns, float scale, float* out);
  void (*rms_norm)(const float* x, const float* weight, float epsilon, int columns, float* out);
  void (*activate)(const float* up, float* gate, std::int64_t count);
  /// x [heads][head_dim] in place; table [dims]: cosines, then sines
  void (*rotate)(RopePairs pairs, int dims, const float* table, int heads, int head_dim, float* x);
  /// k [kv_heads * key_dim] and v [kv_heads * value_dim] of one position into its page
  void (*store_kv)(const KvView& view, std::byte* page, int slot, const float* k, const float* v);
  void (*attention)(const AttentionShare& share);

  // For benchmarks: the most this instruction set can do.
  /// Both return the multiply-adds done.
  std::int64_t (*saturate_int8)(std::int64_t rounds);
  std::int64_t (*saturate_fp32)(std::int64_t rounds);
  /// Reads all of `bytes` in that many streams side by side.
  void (*read_memory)(const std::byte* data, std::size_t bytes, int streams, CacheLevel ahead);

  /// Floats -> blocks of any format.
  Encode encode;
};

extern const CpuKernels portable_kernels;
#if defined(__x86_64__)
extern const CpuKernels avx2_kernels;
extern const CpuKernels avxvnni_kernels; // where the compiler knows it
extern const CpuKernels avx512_kernels;
CpuKernels make_amx_kernels(); // avx512_kernels with products in tile registers; Linux
#elif defined(__aarch64__)
extern const CpuKernels neon_kernels;
CpuKernels make_i8mm_kernels(); // neon_kernels with products of matrices
#endif

/// The best table this machine can run, or the one $KERN_CPU names (amx, avx512, avxvnni, avx2, i8mm,
/// neon, portable).
/// Throws std::invalid_argument with one line where that is unknown or can't run here.
const CpuKernels& choose_cpu_kernels();

/// The same for a given name; empty: the best.
const CpuKernels& choose_cpu_kernels(const char* name);

/// What suits this processor.
CacheLevel choose_read_ahead();

} // namespace kern
