// Lanes of AVX2, with or without VNNI.

// Six loads serve 8 products. In multiply-adds, G/s, 2048 x 2048 by 120 tokens, 6 x 1 and 4 x 2: with VNNI Q4_0 131 and
// 157, Q8_0 125 and 145, Q2_K 79 and 113; without, Q4_0 98 and 103, Q6_K 70 and 72, Q4_K 102 and 96.
constexpr int tile_tokens = 4;
constexpr int tile_vectors = 2;

#if defined(__AVXVNNI__)

constexpr bool wide_is_signed = false;
constexpr int code_class(int, int, bool) { return 255; } // any unsigned code

template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  return (Ints)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)codes, _mm256_set1_epi32(x));
}

#else

constexpr bool wide_is_signed = true;
constexpr int code_class(int max_code, int group, bool whole) {
  if (max_code <= 15) return 15;
  // Two runs of four are one too many for the registers beside 8 sums and 8 results: Q5_0 75, without 83; NVFP4, whose
  // groups of 16 are one run, 63, without 57 (multiply-adds in G/s, 2048 x 2048 by 120 tokens).
  if (max_code <= 31) return group == 16 || whole ? 31 : 127;
  return max_code <= 63 ? 63 : max_code <= 127 ? 127 : 255;
}

/// The sums of a lane's two pairs of products, in 16 bits each: at most 127 * 127 * 2, or with signed codes
/// 128 * 127 * 2.
template <int max_code> KERN_INLINE __m256i pair_sums(Words codes, std::int32_t x) {
  const __m256i bytes = _mm256_set1_epi32(x);
  if constexpr (max_code <= 127) return _mm256_maddubs_epi16((__m256i)codes, bytes);
  const __m256i code = (__m256i)(codes ^ 0x80808080u);
  return _mm256_maddubs_epi16(_mm256_abs_epi8(code), _mm256_sign_epi8(bytes, code));
}
KERN_INLINE Ints add_widened(Ints acc, __m256i pairs) {
  return acc + (Ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  return add_widened(acc, pair_sums<max_code>(codes, x));
}

// Runs of small codes stay in 16 bits, two operations a product instead of three (G/s before and with runs: Q4_0 82 and
// 103, Q4_K 78 and 96, Q6_K 55 and 72 by 120 tokens; Q4_0 49 and 54, Q4_K 38 and 49, Q5_K 30 and 35 by one).
#define KERN_NARROW_RUNS
constexpr bool runs_are_narrow(int max_code) { return max_code <= 63; }
/// 8 * 15 * 127 * 2 = 30480; 4 * 31 * 127 * 2 = 31496; 2 * 63 * 127 * 2 = 32004
constexpr int run_steps(int max_code) { return max_code <= 15 ? 8 : max_code <= 31 ? 4 : max_code <= 63 ? 2 : 64; }
template <int max_code> KERN_INLINE Ints start_run(Ints sum) { return runs_are_narrow(max_code) ? Ints{} : sum; }
template <int max_code> KERN_INLINE Ints add_to_run(Ints run, Words codes, std::int32_t x) {
  if constexpr (!runs_are_narrow(max_code)) return dot_bytes<max_code>(run, codes, x);
  return (Ints)_mm256_add_epi16((__m256i)run, pair_sums<max_code>(codes, x));
}
template <int max_code> KERN_INLINE Ints end_run(Ints sum, Ints run) {
  return runs_are_narrow(max_code) ? add_widened(sum, (__m256i)run) : run;
}

constexpr bool scales_runs(int max_code) { return runs_are_narrow(max_code); }
/// A whole scale twice a lane.
KERN_INLINE Ints whole_lanes(Ints scale) {
  return (Ints)_mm256_blend_epi16((__m256i)scale, _mm256_slli_epi32((__m256i)scale, 16), 0xAA);
}
/// total + scale * the sum of a narrow run
KERN_INLINE Ints end_scaled_run(Ints total, Ints run, Ints scale) {
  return total + (Ints)_mm256_madd_epi16((__m256i)run, (__m256i)scale);
}

#endif

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
template <int i> KERN_INLINE Words repeat_byte(Words word) {
  const __m128i in_each =
      _mm_setr_epi32(0x01010101 * i, 0x01010101 * (4 + i), 0x01010101 * (8 + i), 0x01010101 * (12 + i));
  return (Words)_mm256_shuffle_epi8((__m256i)word, _mm256_broadcastsi128_si256(in_each));
}
KERN_INLINE Floats load_halves(const std::uint16_t* from) {
  return (Floats)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KERN_INLINE void store_halves(std::uint16_t* to, Floats from) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph((__m256)from, _MM_FROUND_TO_NEAREST_INT));
}
KERN_INLINE Words load_shorts(const std::uint16_t* from) {
  return (Words)_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KERN_INLINE Words load_bytes_wide(const std::uint8_t* from) {
  return (Words)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}

KERN_INLINE void store_bytes(std::int8_t* to, Ints values) {
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128((__m256i)values), _mm256_extracti128_si256((__m256i)values, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
}

KERN_INLINE std::int32_t largest_lane(Ints v) {
  __m128i top = _mm_max_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
  top = _mm_max_epi32(top, _mm_shuffle_epi32(top, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(top, _mm_shuffle_epi32(top, 0xB1)));
}

/// sums [count / 16] = exact sums of 16 codes each
KERN_INLINE void sum_codes(const std::int8_t* codes, int count, std::int16_t* sums) {
  for (int i = 0; i < count; i += 16) {
    const __m128i unsigned_codes = _mm_xor_si128(load_vector<__m128i>(codes + i), _mm_set1_epi8(-128));
    const __m128i halves = _mm_sad_epu8(unsigned_codes, _mm_setzero_si128()); // of eight codes, plus 128 each
    sums[i / 16] = static_cast<std::int16_t>(_mm_cvtsi128_si32(halves) + _mm_extract_epi16(halves, 4) - 16 * 128);
  }
}

/// to [4][16] = four words of each row, `offset` bytes from their beginnings
KERN_INLINE void turn_four(const RowPointers& rows, int offset, std::byte* to) {
  unroll<2>([&](auto half) __attribute__((always_inline)) {
    __m256i row[4]; // i and i + 4 of eight
    unroll<4>([&](auto i) __attribute__((always_inline)) {
      const auto four = [&](auto r) __attribute__((always_inline)) {
        return load_vector<__m128i>(rows.row<r>(offset));
      };
      constexpr int r = half * 8 + i;
      row[i] = _mm256_castsi128_si256(four(std::integral_constant<int, r>{}));
      row[i] = _mm256_inserti128_si256(row[i], four(std::integral_constant<int, r + 4>{}), 1);
    });
    const __m256i first = _mm256_unpacklo_epi32(row[0], row[1]), second = _mm256_unpacklo_epi32(row[2], row[3]);
    const __m256i third = _mm256_unpackhi_epi32(row[0], row[1]), fourth = _mm256_unpackhi_epi32(row[2], row[3]);
    std::byte* out = to + half * 32;
    store_vector(out, _mm256_unpacklo_epi64(first, second));
    store_vector(out + 64, _mm256_unpackhi_epi64(first, second));
    store_vector(out + 128, _mm256_unpacklo_epi64(third, fourth));
    store_vector(out + 192, _mm256_unpackhi_epi64(third, fourth));
  });
}

/// to [16][to_stride] = the transpose of from [16][stride], in four blocks of 8 x 8
KERN_INLINE void transpose_words(const std::uint32_t* from, int stride, std::uint32_t* to, std::ptrdiff_t to_stride) {
  for (int block = 0; block < 4; ++block) {
    const std::uint32_t* source = from + block / 2 * 8 * stride + block % 2 * 8;
    std::uint32_t* target = to + block % 2 * 8 * to_stride + block / 2 * 8;
    // Rows i and i + 4 side by side, 128 bits each: what is left are transposes of 4 x 4 within those.
    __m256i low[4], high[4];
    unroll<4>([&](auto i) __attribute__((always_inline)) {
      const auto half = [&](int row, int column) __attribute__((always_inline)) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + row * stride + column));
      };
      low[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(half(i, 0)), half(i + 4, 0), 1);
      high[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(half(i, 4)), half(i + 4, 4), 1);
    });
    const auto turn = [&](const __m256i* rows, std::uint32_t* out) __attribute__((always_inline)) {
      const __m256i first = _mm256_unpacklo_epi32(rows[0], rows[1]), second = _mm256_unpacklo_epi32(rows[2], rows[3]);
      const __m256i third = _mm256_unpackhi_epi32(rows[0], rows[1]), fourth = _mm256_unpackhi_epi32(rows[2], rows[3]);
      store_vector(out, _mm256_unpacklo_epi64(first, second));
      store_vector(out + to_stride, _mm256_unpackhi_epi64(first, second));
      store_vector(out + 2 * to_stride, _mm256_unpacklo_epi64(third, fourth));
      store_vector(out + 3 * to_stride, _mm256_unpackhi_epi64(third, fourth));
    };
    turn(low, target);
    turn(high, target + 4 * to_stride);
  }
}
