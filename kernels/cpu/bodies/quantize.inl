// Rounding of activations to int8 for quantized products, straight into tiles.

/// Blocks rounded side by side, so that they share the vectors of their divisions and none waits for the one before:
/// blocks of 32 on Zen 4 21 ns each one by one, 6 together.
template <int width> constexpr int blocks_at_once = width == 32 ? 16 : 4;

/// The bits of the largest magnitude: as integers they are exact to compare, and NaN or infinity come out on top.
template <int width> KERN_INLINE std::int32_t largest_magnitude(const float* x) {
  Ints tops{};
  for (int i = 0; i < width; i += lane_count) {
    const Ints bits = as_ints(load_vector<Words>(x + i) & 0x7FFFFFFFu);
    tops = bits > tops ? bits : tops;
  }
  return largest_lane(tops);
}

/// Codes and scales of `count` blocks of `width` activations. `scales` has room for 16.
template <int width> KERN_INLINE void quantize_blocks(const float* x, int count, std::int8_t* codes, float* scales) {
  alignas(64) std::int32_t tops[16] = {};
  alignas(64) float inverses[16];
  for (int b = 0; b < count; ++b) tops[b] = largest_magnitude<width>(x + b * width);
  for (int b = 0; b < count; b += lane_count) {
    const auto largest = load_vector<Floats>(tops + b);
    store_vector(scales + b, largest / every_lane(127.0f));
    store_vector(inverses + b, every_lane(127.0f) / largest);
  }
  constexpr std::int32_t tiny = 0x03800000; // 2^-120
  for (int b = 0; b < count; ++b, x += width, codes += width) {
    // All (nearly) zero: codes 0. Not finite: codes 0 and a scale that carries it into the result.
    if (tops[b] <= tiny || tops[b] >= 0x7F800000) {
      __builtin_memset(codes, 0, width);
      continue;
    }
    const Floats inverse = every_lane(inverses[b]);
    for (int i = 0; i < width; i += lane_count) {
      // Rounds to even: the fraction bits left after adding 1.5 * 2^23 are the integer.
      const Floats shifted = load_vector<Floats>(x + i) * inverse + every_lane(0x1.8p23f);
      const Ints code = reinterpret_cast<Ints>(shifted) - 0x4B400000;
      store_bytes(codes + i, code);
    }
  }
}

template <int block> void quantize_row_by(const float* x, int columns, int index, const QuantizedRows& out) {
  constexpr int run = tile_run<block>;
  constexpr int at_once = blocks_at_once<block>;
  const int tile = index / tile_tokens;
  const int tokens = tokens_of_tile(out.rows, tile);
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(tile) * tile_tokens;
  const int lane = index % tile_tokens;
  std::int8_t* to = out.codes + first * columns + lane * run;
  float* scales = out.scales + first * (columns / block) + lane;
  std::int16_t* sums = out.sums + first * (columns / 16) + lane;
  alignas(64) std::int8_t buffer[at_once * block];
  alignas(64) float block_scales[16];
  std::int16_t block_sums[at_once * block / 16];
  for (int begin = 0; begin < columns; begin += at_once * block) {
    const int count = columns - begin < at_once * block ? columns - begin : at_once * block;
    std::int8_t* codes = tokens == 1 ? to : buffer;
    quantize_blocks<block>(x + begin, count / block, codes, block_scales);
    sum_codes(codes, count, block_sums);
    if (tokens > 1)
#pragma GCC unroll 8
      for (int k = 0; k < count; k += run) __builtin_memcpy(to + k * tokens, codes + k, run);
    for (int b = 0; b < count / block; ++b) scales[b * tokens] = block_scales[b];
    for (int g = 0; g < count / 16; ++g) sums[g * tokens] = block_sums[g];
    to += count * tokens;
    scales += count / block * tokens;
    sums += count / 16 * tokens;
  }
}

/// Rounds row `index` of n = out.rows into its place in the tiles.
void quantize_row(const float* x, int columns, int index, const QuantizedRows& out) {
  if (out.block == 32) quantize_row_by<32>(x, columns, index, out);
  else quantize_row_by<256>(x, columns, index, out);
}
