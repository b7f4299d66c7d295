// Rounding of activations to int8 for quantized products, straight into tiles.

/// One block of `width` activations: codes and the scale; sums of 16.
template <int width>
KERN_INLINE void quantize_block(const float* x, std::int8_t* codes, float* scale, std::int16_t* sums) {
  // The maximum as an integer of the magnitude's bits: exact, and NaN or infinity come out on top.
  std::int32_t top = 0;
  for (int i = 0; i < width; ++i) {
    const auto bits = static_cast<std::int32_t>(float_bits(x[i]) & 0x7FFFFFFFu);
    top = bits > top ? bits : top;
  }
  const float largest = bits_float(static_cast<std::uint32_t>(top));
  *scale = largest / 127.0f;
  // All (nearly) zero: codes 0. Not finite: codes 0 and a scale that carries it into the result.
  if (!(largest > 0x1p-120f) || top >= 0x7F800000) {
    __builtin_memset(codes, 0, width);
    __builtin_memset(sums, 0, width / 16 * sizeof *sums);
    return;
  }
  const float inverse = 127.0f / largest;
  std::int32_t wide[width];
  // Rounds to even: the fraction bits left after adding 1.5 * 2^23 are the integer.
  for (int i = 0; i < width; ++i)
    wide[i] = static_cast<std::int32_t>(float_bits(x[i] * inverse + 0x1.8p23f)) - 0x4B400000;
  for (int i = 0; i < width; ++i) codes[i] = static_cast<std::int8_t>(wide[i]);
  for (int g = 0; g < width / 16; ++g) {
    std::int32_t sum = 0;
    for (int i = 0; i < 16; ++i) sum += wide[g * 16 + i];
    sums[g] = static_cast<std::int16_t>(sum);
  }
}

template <int block> void quantize_row_by(const float* x, int columns, int index, const QuantizedRows& out) {
  const int tile = index / tile_tokens;
  const int tokens = tokens_of_tile(out.rows, tile);
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(tile) * tile_tokens;
  const int lane = index % tile_tokens;
  auto* words = reinterpret_cast<std::int32_t*>(out.codes + first * columns) + lane;
  float* scales = out.scales + first * (columns / block) + lane;
  std::int16_t* sums = out.sums + first * (columns / 16) + lane;
  alignas(64) std::int8_t codes[block];
  std::int16_t block_sums[block / 16];
  for (int b = 0; b < columns / block; ++b) {
    quantize_block<block>(x + b * block, codes, scales, block_sums);
    for (int k = 0; k < block / 4; ++k) words[k * tokens] = load_vector<std::int32_t>(codes + 4 * k);
    for (int g = 0; g < block / 16; ++g) sums[g * tokens] = block_sums[g];
    words += block / 4 * tokens;
    scales += tokens;
    sums += block / 16 * tokens;
  }
}

/// Rounds row `index` of n = out.rows into its place in the tiles.
void quantize_row(const float* x, int columns, int index, const QuantizedRows& out) {
  if (out.block == 32) quantize_row_by<32>(x, columns, index, out);
  else quantize_row_by<256>(x, columns, index, out);
}
