// Exact integer dot products of 256 codes in groups of 16, 32 or 256: the inner loop of every quantized product.
// Integers, so every way of adding them gives the same sums.

#if defined(__AVX512BW__)

/// Products of 32 codes, neighbours added: 16 sums of two.
KERN_INLINE __m512i pair_products(const std::int8_t* a, const std::int8_t* b) {
  const __m512i wide_a = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a)));
  const __m512i wide_b = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
  return _mm512_madd_epi16(wide_a, wide_b);
}

/// Four vectors -> one: in each 128-bit lane the lane's sums of v0, v1, v2, v3.
KERN_INLINE __m512i add_across_lanes(__m512i v0, __m512i v1, __m512i v2, __m512i v3) {
  const __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(v0, v1), _mm512_unpackhi_epi32(v0, v1));
  const __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(v2, v3), _mm512_unpackhi_epi32(v2, v3));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

/// sums [256 / group]
template <int group> KERN_INLINE void group_sums(const std::int8_t* a, const std::int8_t* b, std::int32_t* sums) {
  const __m512i low = add_across_lanes(pair_products(a, b), pair_products(a + 32, b + 32),
                                       pair_products(a + 64, b + 64), pair_products(a + 96, b + 96));
  const __m512i high = add_across_lanes(pair_products(a + 128, b + 128), pair_products(a + 160, b + 160),
                                        pair_products(a + 192, b + 192), pair_products(a + 224, b + 224));
  // Lanes 0 and 1 of `low` and `high` hold the first 16 codes of each 32, lanes 2 and 3 the others.
  const __m512i halves = _mm512_add_epi32(_mm512_shuffle_i64x2(low, high, 0x88), _mm512_shuffle_i64x2(low, high, 0xDD));
  if constexpr (group == 16) {
    const __m512i order = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
    _mm512_storeu_si512(sums, _mm512_permutexvar_epi32(order, halves));
  } else {
    const __m512i whole = _mm512_add_epi32(halves, _mm512_shuffle_i64x2(halves, halves, 0xB1));
    _mm512_mask_compressstoreu_epi32(sums, 0x0F0F, whole);
  }
}

#elif defined(__AVX2__)

/// Products of 16 codes, neighbours added: 8 sums of two.
KERN_INLINE __m256i pair_products(const std::int8_t* a, const std::int8_t* b) {
  const __m256i wide_a = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)));
  const __m256i wide_b = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
  return _mm256_madd_epi16(wide_a, wide_b);
}

/// One group's sums of two.
template <int group> KERN_INLINE __m256i group_products(const std::int8_t* a, const std::int8_t* b) {
  if constexpr (group == 16) return pair_products(a, b);
  else return _mm256_add_epi32(pair_products(a, b), pair_products(a + 16, b + 16));
}

/// Four vectors -> one: in each 128-bit lane the lane's sums of v0, v1, v2, v3.
KERN_INLINE __m256i add_across_lanes(__m256i v0, __m256i v1, __m256i v2, __m256i v3) {
  return _mm256_hadd_epi32(_mm256_hadd_epi32(v0, v1), _mm256_hadd_epi32(v2, v3));
}

/// sums [256 / group]
template <int group> KERN_INLINE void group_sums(const std::int8_t* a, const std::int8_t* b, std::int32_t* sums) {
  for (int g = 0; g < 256 / group; g += 8, a += 8 * group, b += 8 * group) {
    const auto one = [&](int i) __attribute__((always_inline)) {
      return group_products<group>(a + i * group, b + i * group);
    };
    const __m256i low = add_across_lanes(one(0), one(1), one(2), one(3));
    const __m256i high = add_across_lanes(one(4), one(5), one(6), one(7));
    const __m256i whole =
        _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + g), whole);
  }
}

#else

/// sums [256 / group]
template <int group> KERN_INLINE void group_sums(const std::int8_t* a, const std::int8_t* b, std::int32_t* sums) {
  for (int g = 0; g < 256 / group; ++g) {
    std::int32_t sum = 0;
    for (int i = 0; i < group; ++i) sum += a[g * group + i] * b[g * group + i];
    sums[g] = sum;
  }
}

#endif

/// The sum of all 256, for formats with one scale a block.
template <> KERN_INLINE void group_sums<256>(const std::int8_t* a, const std::int8_t* b, std::int32_t* sums) {
  std::int32_t parts[8];
  group_sums<32>(a, b, parts);
  sums[0] = ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ((parts[4] + parts[5]) + (parts[6] + parts[7]));
}

/// One group alone, for rows that aren't a multiple of 256.
template <int group> KERN_INLINE std::int32_t group_sum(const std::int8_t* a, const std::int8_t* b) {
  std::int32_t sum = 0;
  for (int i = 0; i < group; ++i) sum += a[i] * b[i];
  return sum;
}
