// Lanes of AVX-512 with VNNI.

#if defined(KERN_OWN_TILES) // AMX
constexpr int tile_tokens = 16;                                       // rows of a tile register
template <int block> constexpr int tile_run = block == 256 ? 64 : 32; // columns a tile register holds of each
constexpr int panel_run = 4;
constexpr bool signed_panels = true, has_planes = true;
#else
constexpr int tile_tokens = 6; // with two vectors of rows 12 sums and 12 results: 24 of 32 registers
#endif
constexpr int tile_vectors = 2; // 8 loads serve 12 products

constexpr bool wide_is_signed = false;
constexpr int code_class(int, int, bool) { return 255; } // any unsigned code

template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  return (Ints)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)codes, _mm512_set1_epi32(x));
}
KERN_INLINE Ints dot_pairs(Ints acc, Words a, std::int32_t b) {
  return (Ints)_mm512_dpwssd_epi32((__m512i)acc, (__m512i)a, _mm512_set1_epi32(b));
}
KERN_INLINE Floats to_floats(Ints values) { return (Floats)_mm512_cvtepi32_ps((__m512i)values); }
KERN_INLINE Floats fused_lanes(Floats a, Floats b, Floats c) { return (Floats)_mm512_fmadd_ps(a, b, c); }
KERN_INLINE Floats fused_negated(Floats a, Floats b, Floats c) { return (Floats)_mm512_fnmadd_ps(a, b, c); }
KERN_INLINE Words look_up(const std::uint8_t* table, Words indices) {
  const __m512i wide = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return (Words)_mm512_shuffle_epi8(wide, (__m512i)indices);
}
template <int i> KERN_INLINE Words repeat_byte(Words word) {
  const __m128i in_each =
      _mm_setr_epi32(0x01010101 * i, 0x01010101 * (4 + i), 0x01010101 * (8 + i), 0x01010101 * (12 + i));
  return (Words)_mm512_shuffle_epi8((__m512i)word, _mm512_broadcast_i32x4(in_each));
}
KERN_INLINE Floats load_halves(const std::uint16_t* from) {
  return (Floats)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
KERN_INLINE void store_halves(std::uint16_t* to, Floats from) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtps_ph((__m512)from, _MM_FROUND_TO_NEAREST_INT));
}
KERN_INLINE Words load_shorts(const std::uint16_t* from) {
  return (Words)_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
KERN_INLINE Words load_bytes_wide(const std::uint8_t* from) {
  return (Words)_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KERN_INLINE std::int32_t largest_lane(Ints v) { return _mm512_reduce_max_epi32((__m512i)v); }

/// sums [count / 16] = exact sums of 16 codes each; has room for a multiple of four
KERN_INLINE void sum_codes(const std::int8_t* codes, int count, std::int16_t* sums) {
  for (int i = 0; i < count; i += 64) {
    const __m512i part = _mm512_maskz_loadu_epi8(count - i < 64 ? 0xFFFFFFFFu : ~std::uint64_t{0}, codes + i);
    __m512i sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), part); // of four codes
    sum = _mm512_add_epi32(sum, _mm512_shuffle_epi32(sum, _MM_PERM_CDAB));
    sum = _mm512_add_epi32(sum, _mm512_shuffle_epi32(sum, _MM_PERM_BADC));
    const __m128i of_sixteen = _mm512_castsi512_si128(_mm512_maskz_compress_epi32(0x1111, sum));
    const __m128i packed = _mm_packs_epi32(of_sixteen, of_sixteen);
    __builtin_memcpy(sums + i / 16, &packed, 8);
  }
}

/// to [4][16] = four words of each row, `offset` bytes from their beginnings
KERN_INLINE void turn_four(const RowPointers& rows, int offset, std::byte* to) {
  __m512i row[4]; // i, i + 4, i + 8 and i + 12
  unroll<4>([&](auto i) __attribute__((always_inline)) {
    const auto four = [&](auto r) __attribute__((always_inline)) { return load_vector<__m128i>(rows.row<r>(offset)); };
    row[i] = _mm512_castsi128_si512(four(i));
    unroll<3>([&](auto part) __attribute__((always_inline)) {
      row[i] = _mm512_inserti32x4(row[i], four(std::integral_constant<int, i + 4 * part + 4>{}), part + 1);
    });
  });
  const __m512i first = _mm512_unpacklo_epi32(row[0], row[1]), second = _mm512_unpacklo_epi32(row[2], row[3]);
  const __m512i third = _mm512_unpackhi_epi32(row[0], row[1]), fourth = _mm512_unpackhi_epi32(row[2], row[3]);
  store_vector(to, _mm512_unpacklo_epi64(first, second));
  store_vector(to + 64, _mm512_unpackhi_epi64(first, second));
  store_vector(to + 128, _mm512_unpacklo_epi64(third, fourth));
  store_vector(to + 192, _mm512_unpackhi_epi64(third, fourth));
}

/// to [16][to_stride] = the transpose of from [16][stride]
KERN_INLINE void transpose_words(const std::uint32_t* from, int stride, std::uint32_t* to, std::ptrdiff_t to_stride) {
  __m512i row[16], pair[16];
  unroll<16>([&](auto r) __attribute__((always_inline)) { row[r] = load_vector<__m512i>(from + r * stride); });
  // Neighbouring rows, then neighbouring pairs, within 128 bits; then the 128-bit quarters of every fourth.
  unroll<8>([&](auto i) __attribute__((always_inline)) {
    pair[2 * i] = _mm512_unpacklo_epi32(row[2 * i], row[2 * i + 1]);
    pair[2 * i + 1] = _mm512_unpackhi_epi32(row[2 * i], row[2 * i + 1]);
  });
  unroll<4>([&](auto i) __attribute__((always_inline)) {
    row[4 * i] = _mm512_unpacklo_epi64(pair[4 * i], pair[4 * i + 2]);
    row[4 * i + 1] = _mm512_unpackhi_epi64(pair[4 * i], pair[4 * i + 2]);
    row[4 * i + 2] = _mm512_unpacklo_epi64(pair[4 * i + 1], pair[4 * i + 3]);
    row[4 * i + 3] = _mm512_unpackhi_epi64(pair[4 * i + 1], pair[4 * i + 3]);
  });
  unroll<4>([&](auto c) __attribute__((always_inline)) {
    const __m512i low_even = _mm512_shuffle_i32x4(row[c], row[4 + c], 0x88);
    const __m512i low_odd = _mm512_shuffle_i32x4(row[c], row[4 + c], 0xDD);
    const __m512i high_even = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0x88);
    const __m512i high_odd = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0xDD);
    store_vector(to + c * to_stride, _mm512_shuffle_i32x4(low_even, high_even, 0x88));
    store_vector(to + (4 + c) * to_stride, _mm512_shuffle_i32x4(low_odd, high_odd, 0x88));
    store_vector(to + (8 + c) * to_stride, _mm512_shuffle_i32x4(low_even, high_even, 0xDD));
    store_vector(to + (12 + c) * to_stride, _mm512_shuffle_i32x4(low_odd, high_odd, 0xDD));
  });
}
