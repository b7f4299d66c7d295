// Lanes for whatever the compiler's baseline is; SSE2 on x86-64.

constexpr int tile_tokens = 2;
constexpr int tile_vectors = 1;

constexpr bool wide_is_signed = false;
constexpr int code_class(int, int, bool) { return 255; } // any unsigned code

#if defined(__SSE2__)
template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  // Even and odd bytes as 16-bit numbers.
  const __m128i bytes = _mm_set1_epi32(x);
  const __m128i even = _mm_madd_epi16((__m128i)(codes & 0x00FF00FFu), _mm_srai_epi16(_mm_slli_epi16(bytes, 8), 8));
  const __m128i odd = _mm_madd_epi16((__m128i)((codes >> 8) & 0x00FF00FFu), _mm_srai_epi16(bytes, 8));
  return acc + (Ints)even + (Ints)odd;
}
KERN_INLINE Ints dot_pairs(Ints acc, Words a, std::int32_t b) {
  return acc + (Ints)_mm_madd_epi16((__m128i)a, _mm_set1_epi32(b));
}
#else
template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  for (int j = 0; j < 4; ++j)
    acc += as_ints((codes >> (8 * j)) & 255u) * static_cast<std::int32_t>(static_cast<std::int8_t>(x >> (8 * j)));
  return acc;
}
KERN_INLINE Ints dot_pairs(Ints acc, Words a, std::int32_t b) {
  const Ints low = as_ints(a << 16) >> 16;
  const Ints high = as_ints(a) >> 16;
  return acc + low * static_cast<std::int32_t>(static_cast<std::int16_t>(b)) + high * (b >> 16);
}
#endif

KERN_INLINE Floats to_floats(Ints values) { return __builtin_convertvector(values, Floats); }
// Not inlined: four calls of fmaf and 16 loads wherever a product is made only make the unit large and slow to compile.
#if defined(__FP_FAST_FMAF)
KERN_INLINE
#else
[[gnu::noinline]]
#endif
Floats fused_lanes(Floats a, Floats b, Floats c) {
  for (int i = 0; i < lane_count; ++i) c[i] = fused(a[i], b[i], c[i]);
  return c;
}
KERN_INLINE Floats fused_negated(Floats a, Floats b, Floats c) { return fused_lanes(-a, b, c); }
[[gnu::noinline]] Words look_up(const std::uint8_t* table, Words indices) {
  std::uint8_t bytes[sizeof indices];
  __builtin_memcpy(bytes, &indices, sizeof indices);
  for (auto& byte : bytes) byte = table[byte];
  return load_vector<Words>(bytes);
}
template <int i> KERN_INLINE Words repeat_byte(Words word) { return ((word >> (8 * i)) & 255u) * 0x01010101u; }
KERN_INLINE Floats load_halves(const std::uint16_t* from) {
  Floats out;
  for (int i = 0; i < lane_count; ++i) out[i] = to_float(Half{from[i]});
  return out;
}
KERN_INLINE void store_halves(std::uint16_t* to, Floats from) {
  for (int i = 0; i < lane_count; ++i) to[i] = to_half(from[i]).bits;
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
KERN_INLINE std::int32_t largest_lane(Ints v) {
  std::int32_t top = v[0];
  for (int i = 1; i < lane_count; ++i) top = v[i] > top ? v[i] : top;
  return top;
}
