// Rounding of activations to int8 for quantized products, straight into tiles.

using LaneBytes = std::int8_t __attribute__((vector_size(lane_count)));

/// One block of `width` activations: codes and the scale; sums of 16.
template <int width>
KERN_INLINE void quantize_block(const float* x, std::int8_t* codes, float* scale, std::int16_t* sums) {
  // The maximum as an integer of the magnitude's bits: exact, and NaN or infinity come out on top.
  Ints tops{};
  for (int i = 0; i < width; i += lane_count) {
    const Ints bits = as_ints(load_vector<Words>(x + i) & 0x7FFFFFFFu);
    tops = bits > tops ? bits : tops;
  }
  const std::int32_t top = largest_lane(tops);
  const float largest = bits_float(static_cast<std::uint32_t>(top));
  *scale = largest / 127.0f;
  // All (nearly) zero: codes 0. Not finite: codes 0 and a scale that carries it into the result.
  if (!(largest > 0x1p-120f) || top >= 0x7F800000) {
    __builtin_memset(codes, 0, width);
    __builtin_memset(sums, 0, width / 16 * sizeof *sums);
    return;
  }
  const Floats inverse = every_lane(127.0f / largest);
  for (int i = 0; i < width; i += lane_count) {
    // Rounds to even: the fraction bits left after adding 1.5 * 2^23 are the integer.
    const Floats shifted = load_vector<Floats>(x + i) * inverse + every_lane(0x1.8p23f);
    const Ints code = reinterpret_cast<Ints>(shifted) - 0x4B400000;
    store_vector(codes + i, __builtin_convertvector(code, LaneBytes));
  }
  sum_codes<width>(codes, sums);
}

template <int block> void quantize_row_by(const float* x, int columns, int index, const QuantizedRows& out) {
  constexpr int run = tile_run<block>;
  const int tile = index / tile_tokens;
  const int tokens = tokens_of_tile(out.rows, tile);
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(tile) * tile_tokens;
  const int lane = index % tile_tokens;
  std::int8_t* to = out.codes + first * columns + lane * run;
  float* scales = out.scales + first * (columns / block) + lane;
  std::int16_t* sums = out.sums + first * (columns / 16) + lane;
  alignas(64) std::int8_t codes[block];
  std::int16_t block_sums[block / 16];
  for (int b = 0; b < columns / block; ++b) {
    quantize_block<block>(x + b * block, codes, scales, block_sums);
    for (int k = 0; k < block; k += run) __builtin_memcpy(to + k * tokens, codes + k, run);
    for (int g = 0; g < block / 16; ++g) sums[g * tokens] = block_sums[g];
    to += block * tokens;
    scales += tokens;
    sums += block / 16 * tokens;
  }
}

/// Rounds row `index` of n = out.rows into its place in the tiles.
void quantize_row(const float* x, int columns, int index, const QuantizedRows& out) {
  if (out.block == 32) quantize_row_by<32>(x, columns, index, out);
  else quantize_row_by<256>(x, columns, index, out);
}
