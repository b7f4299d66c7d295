// What rows of the grid formats ask of AVX-512.

template <class F> KERN_INLINE Words gather_eights(F&& at) {
  return (Words)_mm512_inserti64x4(_mm512_castsi256_si512(four_eights<0>(at)), four_eights<4>(at), 1);
}
template <class F> KERN_INLINE Words gather_fours(F&& at) {
  return (Words)_mm512_inserti64x4(_mm512_castsi256_si512(eight_fours<0>(at)), eight_fours<8>(at), 1);
}

/// Bytes of x, negative where their bit in `signs` is set.
KERN_INLINE Words negate_bytes(Words x, const std::uint8_t* signs) {
  const __mmask64 negative = load_vector<std::uint64_t>(signs);
  return (Words)_mm512_mask_sub_epi8((__m512i)x, negative, _mm512_setzero_si512(), (__m512i)x);
}
/// Each byte eight times.
KERN_INLINE Words repeat_eights(const std::uint8_t* bytes) {
  const __m512i in_each =
      _mm512_set_epi64(0x0707070707070707, 0x0606060606060606, 0x0505050505050505, 0x0404040404040404,
                       0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
  return (Words)_mm512_shuffle_epi8(_mm512_set1_epi64(load_vector<std::int64_t>(bytes)), in_each);
}
/// acc + products of unsigned bytes, two of which don't overflow 16 bits, with x, of each 16 times their scale
KERN_INLINE Ints dot_scaled(Ints acc, Words codes, Words x, const std::int16_t* scales) {
  const __m512i in_each =
      _mm512_set_epi64(0x0706070607060706, 0x0706070607060706, 0x0504050405040504, 0x0504050405040504,
                       0x0302030203020302, 0x0302030203020302, 0x0100010001000100, 0x0100010001000100);
  const __m512i scale = _mm512_shuffle_epi8(_mm512_set1_epi64(load_vector<std::int64_t>(scales)), in_each);
  return (Ints)_mm512_dpwssd_epi32((__m512i)acc, _mm512_maddubs_epi16((__m512i)codes, (__m512i)x), scale);
}
KERN_INLINE Ints eight_ints(__m256i values) { return (Ints)_mm512_zextsi256_si512(values); }
KERN_INLINE std::int32_t sum_lanes(Ints v) { return _mm512_reduce_add_epi32((__m512i)v); }
/// Bytes of a vector from 16, by their numbers.
KERN_INLINE Words spread_lanes(__m128i from, const std::uint8_t* numbers) {
  return (Words)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(from), load_vector<__m512i>(numbers));
}
