// Rounding of activations to int8 for quantized products, straight into tiles.

/// One block of `width` activations: codes and the scale; sums of 16.
KERN_INLINE void quantize_block(const float* x, int width, std::int8_t* codes, float* scale, std::int16_t* sums) {
  // The maximum as an integer of the magnitude's bits: exact, and NaN or infinity come out on top.
  std::uint32_t top = 0;
  for (int i = 0; i < width; ++i) {
    const std::uint32_t bits = float_bits(x[i]) & 0x7FFFFFFFu;
    top = bits > top ? bits : top;
  }
  const float largest = bits_float(top);
  float inverse = 127.0f / largest;
  // All (nearly) zero: codes 0. Not finite: codes 0 and a scale that carries it into the result.
  if (!(largest > 0x1p-120f) || top >= 0x7F800000u) inverse = 0.0f;
  *scale = largest / 127.0f;
  for (int g = 0; g < width / 16; ++g) {
    std::int32_t sum = 0;
    for (int i = 0; i < 16; ++i) {
      const float value = inverse == 0.0f ? 0.0f : x[g * 16 + i] * inverse;
      // Rounds to even: the fraction bits left after adding 1.5 * 2^23 are the integer.
      const std::int32_t code = static_cast<std::int32_t>(float_bits(value + 0x1.8p23f)) - 0x4B400000;
      codes[g * 16 + i] = static_cast<std::int8_t>(code);
      sum += code;
    }
    sums[g] = static_cast<std::int16_t>(sum);
  }
}

/// Rounds row `index` of n = out.rows into its place in the tiles.
void quantize_row(const float* x, int columns, int index, const QuantizedRows& out) {
  const int tile = index / tile_tokens;
  const int tokens = tokens_of_tile(out.rows, tile);
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(tile) * tile_tokens;
  const int lane = index % tile_tokens;
  auto* words = reinterpret_cast<std::int32_t*>(out.codes + first * columns) + lane;
  float* scales = out.scales + first * (columns / out.block) + lane;
  std::int16_t* sums = out.sums + first * (columns / 16) + lane;
  alignas(64) std::int8_t codes[256];
  std::int16_t block_sums[16];
  for (int b = 0; b < columns / out.block; ++b) {
    quantize_block(x + b * out.block, out.block, codes, scales, block_sums);
    for (int k = 0; k < out.block / 4; ++k) words[k * tokens] = load_vector<std::int32_t>(codes + 4 * k);
    for (int g = 0; g < out.block / 16; ++g) sums[g * tokens] = block_sums[g];
    words += out.block / 4 * tokens;
    scales += tokens;
    sums += out.block / 16 * tokens;
  }
}
