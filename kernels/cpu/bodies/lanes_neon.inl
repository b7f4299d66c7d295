// Lanes of 64-bit Arm, with or without the dot product instructions.

constexpr int tile_tokens = 6;  // with two vectors of rows 12 sums and 12 results: 24 of 32 registers
constexpr int tile_vectors = 2; // 8 loads serve 12 products; 7 where products are of matrices

// Products are of signed bytes.
constexpr bool wide_is_signed = true;
#if defined(KERN_OWN_TILES) // i8mm
template <int block> constexpr int tile_run = 8;
constexpr int panel_run = 8;
constexpr bool signed_panels = true, has_planes = false;
constexpr int code_class(int, int, bool) { return 255; } // all are signed bytes

/// Eight codes of each of four rows, given their first and second four.
KERN_INLINE void store_runs_of_eight(std::uint8_t* to, Words first, Words second) {
  vst1q_u8(to, (uint8x16_t)vzip1q_u32((uint32x4_t)first, (uint32x4_t)second));
  vst1q_u8(to + 16, (uint8x16_t)vzip2q_u32((uint32x4_t)first, (uint32x4_t)second));
}
#else
constexpr int code_class(int max_code, int, bool) { return max_code > 127 ? 255 : 127; }
#endif

template <int max_code> KERN_INLINE Ints dot_bytes(Ints acc, Words codes, std::int32_t x) {
  if constexpr (max_code > 127) codes ^= 0x80808080u;
  const auto a = (int8x16_t)codes;
#if defined(__ARM_FEATURE_DOTPROD)
  // By element: vectors of copies of x would take instructions of their own. 6 tokens by 8 rows over 16 columns are 36
  // cycles so by LLVM's model of Neoverse N2, 24 by element.
  return (Ints)vdotq_lane_s32((int32x4_t)acc, a, vcreate_s8(static_cast<std::uint32_t>(x)), 0);
#else
  const auto b = (int8x16_t)vdupq_n_s32(x);
  const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
  const int32x4_t high = vpaddlq_s16(vmull_high_s8(a, b));
  return acc + (Ints)vpaddq_s32(low, high);
#endif
}
KERN_INLINE Ints dot_pairs(Ints acc, Words a, Words b) {
  const auto pairs = (int16x8_t)a;
  const auto factors = (int16x8_t)b;
  const int32x4_t low = vmull_s16(vget_low_s16(pairs), vget_low_s16(factors));
  return acc + (Ints)vpaddq_s32(low, vmull_high_s16(pairs, factors));
}
KERN_INLINE Ints dot_pairs(Ints acc, Words a, std::int32_t b) { return dot_pairs(acc, a, (Words)vdupq_n_s32(b)); }
KERN_INLINE Floats to_floats(Ints values) { return (Floats)vcvtq_f32_s32((int32x4_t)values); }
KERN_INLINE Floats fused_lanes(Floats a, Floats b, Floats c) {
  return (Floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
KERN_INLINE Floats fused_negated(Floats a, Floats b, Floats c) {
  return (Floats)vfmsq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
KERN_INLINE Words look_up(const std::uint8_t* table, Words indices) {
  return (Words)vqtbl1q_u8(vld1q_u8(table), (uint8x16_t)indices);
}
template <int i> KERN_INLINE Words repeat_byte(Words word) { return ((word >> (8 * i)) & 255u) * 0x01010101u; }
KERN_INLINE Floats load_halves(const std::uint16_t* from) {
  return (Floats)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}
KERN_INLINE void store_halves(std::uint16_t* to, Floats from) {
  vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)from)));
}
KERN_INLINE Words load_shorts(const std::uint16_t* from) { return (Words)vmovl_u16(vld1_u16(from)); }
KERN_INLINE Words load_bytes_wide(const std::uint8_t* from) {
  const uint8x8_t four = vcreate_u8(load_vector<std::uint32_t>(from));
  return (Words)vmovl_u16(vget_low_u16(vmovl_u8(four)));
}
KERN_INLINE std::int32_t largest_lane(Ints v) { return vmaxvq_s32((int32x4_t)v); }

/// sums [count / 16] = exact sums of 16 codes each
KERN_INLINE void sum_codes(const std::int8_t* codes, int count, std::int16_t* sums) {
  for (int g = 0; g < count / 16; ++g) sums[g] = vaddlvq_s8(vld1q_s8(codes + g * 16));
}

/// store(w, words w of the four rows) for each of four, of the rows row(r)
template <class Row, class Store> KERN_INLINE void turn_four_by_four(Row&& row, Store&& store) {
  const uint32x4_t a = row(std::integral_constant<int, 0>{}), b = row(std::integral_constant<int, 1>{});
  const uint32x4_t c = row(std::integral_constant<int, 2>{}), d = row(std::integral_constant<int, 3>{});
  const uint32x4_t even = vzip1q_u32(a, c), odd = vzip1q_u32(b, d); // words 0 and 1 of rows 0 and 2, 1 and 3
  const uint32x4_t even_high = vzip2q_u32(a, c), odd_high = vzip2q_u32(b, d);
  store(0, vzip1q_u32(even, odd));
  store(1, vzip2q_u32(even, odd));
  store(2, vzip1q_u32(even_high, odd_high));
  store(3, vzip2q_u32(even_high, odd_high));
}

/// to [4][16] = four words of each row, `offset` bytes from their beginnings
KERN_INLINE void turn_four(const RowPointers& rows, int offset, std::byte* to) {
  unroll<4>([&](auto four) __attribute__((always_inline)) {
    turn_four_by_four(
        [&](auto r) __attribute__((always_inline)) { return load_vector<uint32x4_t>(rows.row<four * 4 + r>(offset)); },
        [&](int w, uint32x4_t words) __attribute__((always_inline)) { store_vector(to + w * 64 + four * 16, words); });
  });
}

/// to [16][to_stride] = the transpose of from [16][stride]
KERN_INLINE void transpose_words(const std::uint32_t* from, int stride, std::uint32_t* to, std::ptrdiff_t to_stride) {
  for (int r = 0; r < 16; r += 4)
    for (int column = 0; column < 16; column += 4)
      turn_four_by_four(
          [&](int i) __attribute__((always_inline)) { return vld1q_u32(from + (r + i) * stride + column); },
          [&](int w, uint32x4_t words)
              __attribute__((always_inline)) { vst1q_u32(to + (column + w) * to_stride + r, words); });
}
