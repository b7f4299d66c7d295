// Norm, rotation, activation, rounding of activations, storing of keys and values.
// Included once for each instruction set, inside an anonymous namespace. No library templates here: the linker might
// keep the copy made for the newest instruction set.

constexpr int lanes = 16;

/// Sum of 16 lanes by the fixed tree.
KERN_INLINE float tree_sum(const float* lane) {
  float eight[8];
  for (int i = 0; i < 8; ++i) eight[i] = lane[i] + lane[i + 8];
  float four[4];
  for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

/// Dot product of floats: 16 lanes strided along k, then the tree.
KERN_INLINE float dot_f32(const float* a, const float* b, int count) {
  float lane[lanes] = {};
  int i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int j = 0; j < lanes; ++j) lane[j] = fused(a[i + j], b[i + j], lane[j]);
  for (int j = 0; i + j < count; ++j) lane[j] = fused(a[i + j], b[i + j], lane[j]);
  return tree_sum(lane);
}

void rms_norm(const float* x, const float* weight, float epsilon, int columns, float* out) {
  const float mean = dot_f32(x, x, columns) / static_cast<float>(columns);
  const float scale = 1.0f / __builtin_sqrtf(mean + epsilon);
  for (int i = 0; i < columns; ++i) out[i] = x[i] * scale * weight[i];
}

void rotate_heads(RopePairs pairs, int dims, const float* table, int heads, int head_dim, float* x) {
  const int half = dims / 2;
  const float* cosine = table;
  const float* sine = table + half;
  for (int h = 0; h < heads; ++h, x += head_dim) {
    if (pairs == RopePairs::halves) {
      for (int i = 0; i < half; ++i) {
        const float a = x[i];
        const float b = x[i + half];
        x[i] = fused(a, cosine[i], -(b * sine[i]));
        x[i + half] = fused(a, sine[i], b * cosine[i]);
      }
    } else {
      for (int i = 0; i < half; ++i) {
        const float a = x[2 * i];
        const float b = x[2 * i + 1];
        x[2 * i] = fused(a, cosine[i], -(b * sine[i]));
        x[2 * i + 1] = fused(a, sine[i], b * cosine[i]);
      }
    }
  }
}

/// Sixteen binary16 numbers; the vector instruction and the scalar code agree on every bit pattern.
KERN_INLINE void halves_to_floats(const Half* in, float* out) {
#if defined(__AVX512VNNI__)
  store_vector(out, load_halves(reinterpret_cast<const std::uint16_t*>(in)));
#elif defined(__F16C__)
  _mm256_storeu_ps(out, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in))));
  _mm256_storeu_ps(out + 8, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + 8))));
#else
  for (int i = 0; i < 16; ++i) out[i] = to_float(in[i]);
#endif
}

/// Any count of binary16 numbers.
KERN_INLINE void decode_halves(const Half* in, std::int64_t count, float* out) {
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) halves_to_floats(in + i, out + i);
#if defined(__F16C__)
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
#endif
  for (; i < count; ++i) out[i] = to_float(in[i]);
}
