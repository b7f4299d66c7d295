// What rows of the grid formats ask of AVX2.

template <class F> KERN_INLINE Words gather_eights(F&& at) { return (Words)four_eights<0>(at); }
template <class F> KERN_INLINE Words gather_fours(F&& at) { return (Words)eight_fours<0>(at); }

KERN_INLINE Words repeat_eights(const std::uint8_t* bytes) {
  const __m256i in_each = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  return (Words)_mm256_shuffle_epi8(_mm256_set1_epi32(load_vector<std::int32_t>(bytes)), in_each);
}
KERN_INLINE Words negate_bytes(Words x, const std::uint8_t* signs) {
  const __m256i bits = _mm256_set1_epi64x(static_cast<std::int64_t>(0x8040201008040201));
  const __m256i negative = _mm256_cmpeq_epi8(_mm256_and_si256((__m256i)repeat_eights(signs), bits), bits);
  return (Words)_mm256_sub_epi8(_mm256_xor_si256((__m256i)x, negative), negative);
}
KERN_INLINE Ints dot_scaled(Ints acc, Words codes, Words x, const std::int16_t* scales) {
  const __m256i in_each =
      _mm256_setr_epi64x(0x0100010001000100, 0x0100010001000100, 0x0302030203020302, 0x0302030203020302);
  const __m256i scale = _mm256_shuffle_epi8(_mm256_set1_epi32(load_vector<std::int32_t>(scales)), in_each);
  return acc + (Ints)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)codes, (__m256i)x), scale);
}
KERN_INLINE Ints eight_ints(__m256i values) { return (Ints)values; }
KERN_INLINE std::int32_t sum_lanes(Ints v) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1)));
}
KERN_INLINE Words spread_lanes(__m128i from, const std::uint8_t* numbers) { return (Words)spread_bytes(from, numbers); }
