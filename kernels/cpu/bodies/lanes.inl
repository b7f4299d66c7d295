// What the product bodies ask of an instruction set: vectors of 32-bit lanes, a lane for each weight row of a panel.
//   Words   unsigned 32-bit lanes, four bytes of codes each      Ints   the same bits, signed
//   Floats  binary32 lanes
// `lane_count` lanes a vector; panels of 16 rows are walked in 16 / lane_count parts. `tile_tokens` is how many tokens
// a tile of activations holds, `tile_vectors` how many vectors of rows meet it at once: as many as the registers hold.

#if defined(__AVX512VNNI__)
constexpr int lane_count = 16;
constexpr int tile_tokens = 6;  // with two vectors of rows 12 sums and 12 results: 24 of 32 registers
constexpr int tile_vectors = 2; // 8 loads serve 12 products
#elif defined(__AVX2__)
constexpr int lane_count = 8;
constexpr int tile_tokens = 6; // 6 sums, 6 results and a vector of codes: 13 of 16 registers
constexpr int tile_vectors = 1;
#else
constexpr int lane_count = 4;
constexpr int tile_tokens = 2;
constexpr int tile_vectors = 1;
#endif

using Words = std::uint32_t __attribute__((vector_size(4 * lane_count)));
using Ints = std::int32_t __attribute__((vector_size(4 * lane_count)));
using Floats = float __attribute__((vector_size(4 * lane_count)));

/// f(integral constant 0), ..., f(integral constant count - 1): loops whose indices are constants to the compiler.
template <int count, class F> KERN_INLINE void unroll(F&& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, i>{}), ...);
  }
  (std::make_integer_sequence<int, count>{});
}

template <class Vector> KERN_INLINE Vector load_vector(const void* from) {
  Vector value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
template <class Vector> KERN_INLINE void store_vector(void* to, Vector value) {
  __builtin_memcpy(to, &value, sizeof value);
}
KERN_INLINE Words every_lane(std::uint32_t value) { return Words{} + value; }
KERN_INLINE Ints as_ints(Words words) { return reinterpret_cast<Ints>(words); }
KERN_INLINE Floats bits_to_floats(Words words) { return reinterpret_cast<Floats>(words); }
// As bits: 0.0f + value would be an addition.
KERN_INLINE Floats every_lane(float value) { return bits_to_floats(Words{} + float_bits(value)); }

// dot_bytes(acc, codes, x): acc + the sum of a lane's four codes (unsigned, at most `max_code`) times x's four bytes
// (signed, -127..127). Codes up to 255 stand for code - 128 where `wide_is_signed`: then no correction is due.
// dot_pairs(acc, a, b): acc + the sum of a lane's two 16-bit products.

#if defined(__AVX512VNNI__)

constexpr bool wide_is_signed = false;

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
KERN_INLINE Floats load_halves(const std::uint16_t* from) {
  return (Floats)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
KERN_INLINE Words load_shorts(const std::uint16_t* from) {
  return (Words)_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
KERN_INLINE Words load_bytes_wide(const std::uint8_t* from) {
  return (Words)_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

#elif defined(__AVX2__)

constexpr bool wide_is_signed =
#if defined(__AVXVNNI__)
    false;
#else
    true;
#endif

template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  const __m256i bytes = _mm256_set1_epi32(x);
#if defined(__AVXVNNI__)
  return (Ints)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)codes, bytes);
#else
  // Pairs of products stay within 16 bits: 127 * 127 * 2, or with signed codes 128 * 127 * 2.
  __m256i pairs;
  if constexpr (max_code > 127) {
    const __m256i code = (__m256i)(codes ^ 0x80808080u);
    pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(code), _mm256_sign_epi8(bytes, code));
  } else {
    pairs = _mm256_maddubs_epi16((__m256i)codes, bytes);
  }
  return acc + (Ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#endif
}
KERN_INLINE Ints dot_pairs(Ints acc, Words a, std::int32_t b) {
  return acc + (Ints)_mm256_madd_epi16((__m256i)a, _mm256_set1_epi32(b));
}
KERN_INLINE Floats to_floats(Ints values) { return (Floats)_mm256_cvtepi32_ps((__m256i)values); }
KERN_INLINE Floats fused_lanes(Floats a, Floats b, Floats c) { return (Floats)_mm256_fmadd_ps(a, b, c); }
KERN_INLINE Floats fused_negated(Floats a, Floats b, Floats c) { return (Floats)_mm256_fnmadd_ps(a, b, c); }
KERN_INLINE Words look_up(const std::uint8_t* table, Words indices) {
  const __m256i wide = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return (Words)_mm256_shuffle_epi8(wide, (__m256i)indices);
}
KERN_INLINE Floats load_halves(const std::uint16_t* from) {
  return (Floats)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KERN_INLINE Words load_shorts(const std::uint16_t* from) {
  return (Words)_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KERN_INLINE Words load_bytes_wide(const std::uint8_t* from) {
  return (Words)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}

#else

#if defined(__ARM_FEATURE_DOTPROD)
constexpr bool wide_is_signed = true;

template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  if constexpr (max_code > 127) codes ^= 0x80808080u;
  return (Ints)vdotq_s32((int32x4_t)acc, (int8x16_t)codes, (int8x16_t)vdupq_n_s32(x));
}
#elif defined(__SSE2__)
constexpr bool wide_is_signed = false;

template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  // Even and odd bytes as 16-bit numbers.
  const __m128i bytes = _mm_set1_epi32(x);
  const __m128i even = _mm_madd_epi16((__m128i)(codes & 0x00FF00FFu), _mm_srai_epi16(_mm_slli_epi16(bytes, 8), 8));
  const __m128i odd = _mm_madd_epi16((__m128i)((codes >> 8) & 0x00FF00FFu), _mm_srai_epi16(bytes, 8));
  return acc + (Ints)even + (Ints)odd;
}
#else
constexpr bool wide_is_signed = false;

template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  for (int j = 0; j < 4; ++j)
    acc += as_ints((codes >> (8 * j)) & 255u) * static_cast<std::int32_t>(static_cast<std::int8_t>(x >> (8 * j)));
  return acc;
}
#endif

KERN_INLINE Ints dot_pairs(Ints acc, Words a, std::int32_t b) {
#if defined(__SSE2__)
  return acc + (Ints)_mm_madd_epi16((__m128i)a, _mm_set1_epi32(b));
#else
  const Ints low = as_ints(a << 16) >> 16;
  const Ints high = as_ints(a) >> 16;
  return acc + low * static_cast<std::int32_t>(static_cast<std::int16_t>(b)) + high * (b >> 16);
#endif
}
KERN_INLINE Floats to_floats(Ints values) { return __builtin_convertvector(values, Floats); }
KERN_INLINE Floats fused_lanes(Floats a, Floats b, Floats c) {
#if defined(__ARM_NEON)
  return (Floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  for (int i = 0; i < lane_count; ++i) c[i] = fused(a[i], b[i], c[i]);
  return c;
#endif
}
KERN_INLINE Floats fused_negated(Floats a, Floats b, Floats c) { return fused_lanes(-a, b, c); }
KERN_INLINE Words look_up(const std::uint8_t* table, Words indices) {
#if defined(__ARM_NEON)
  return (Words)vqtbl1q_u8(vld1q_u8(table), (uint8x16_t)indices);
#else
  std::uint8_t bytes[sizeof indices];
  __builtin_memcpy(bytes, &indices, sizeof indices);
  for (auto& byte : bytes) byte = table[byte];
  return load_vector<Words>(bytes);
#endif
}
KERN_INLINE Floats load_halves(const std::uint16_t* from) {
  Floats out;
  for (int i = 0; i < lane_count; ++i) out[i] = to_float(Half{from[i]});
  return out;
}
KERN_INLINE Words load_shorts(const std::uint16_t* from) {
  Words out;
  for (int i = 0; i < lane_count; ++i) out[i] = from[i];
  return out;
}
KERN_INLINE Words load_bytes_wide(const std::uint8_t* from) {
  Words out;
  for (int i = 0; i < lane_count; ++i) out[i] = from[i];
  return out;
}

#endif

#if defined(__AVX512VNNI__)
KERN_INLINE std::int32_t largest_lane(Ints v) { return _mm512_reduce_max_epi32((__m512i)v); }
KERN_INLINE std::int32_t sum_of_lanes(Ints v) { return _mm512_reduce_add_epi32((__m512i)v); }
#else
KERN_INLINE std::int32_t largest_lane(Ints v) {
  std::int32_t top = v[0];
  for (int i = 1; i < lane_count; ++i) top = v[i] > top ? v[i] : top;
  return top;
}
KERN_INLINE std::int32_t sum_of_lanes(Ints v) {
  std::int32_t sum = v[0];
  for (int i = 1; i < lane_count; ++i) sum += v[i];
  return sum;
}
#endif

/// to [16][16] = the transpose of from [16][stride]
#if defined(__AVX512VNNI__)
KERN_INLINE void transpose_words(const std::uint32_t* from, int stride, std::uint32_t* to) {
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
    store_vector(to + c * 16, _mm512_shuffle_i32x4(low_even, high_even, 0x88));
    store_vector(to + (4 + c) * 16, _mm512_shuffle_i32x4(low_odd, high_odd, 0x88));
    store_vector(to + (8 + c) * 16, _mm512_shuffle_i32x4(low_even, high_even, 0xDD));
    store_vector(to + (12 + c) * 16, _mm512_shuffle_i32x4(low_odd, high_odd, 0xDD));
  });
}
#else
KERN_INLINE void transpose_words(const std::uint32_t* from, int stride, std::uint32_t* to) {
  for (int column = 0; column < 16; ++column)
    for (int r = 0; r < 16; ++r) to[column * 16 + r] = from[r * stride + column];
}
#endif

/// Brings a line of memory close that is about to be read.
KERN_INLINE void prefetch(const void* address) { __builtin_prefetch(address, 0, 3); }
