// 16 rows of an unpacked panel times a tile of tokens with the matrix products of 64-bit Arm (i8mm), in the canonical
// arithmetic of kernels/backend.h. An instruction adds the four products of two tokens and two rows over eight columns,
// twice the work of a dot product of four: a vector is [2 tokens][2 rows] here. As many sums as elsewhere, 6 tokens by
// 8 rows, are 12 vectors; a step of eight columns loads 4 vectors of rows and 3 of tokens for 12 products. A block of
// Q4_0 takes 60 cycles by LLVM's model of Neoverse N2, 80 with dot products. Scaling is half of them: 12 conversions
// and 24 multiplications beside 48 products.

constexpr int tile_row_pairs = 4;

/// [a, b, a, b] of two rows' words a and b
KERN_INLINE Words load_row_pair(const void* words) {
  return (Words)vreinterpretq_u32_u64(vdupq_n_u64(load_vector<std::uint64_t>(words)));
}
/// [a, a, b, b] of two tokens' words a and b, or of one a alone, with zeros
template <bool two> KERN_INLINE Words load_token_pair(const void* words) {
  const uint32x2_t pair =
      two ? vcreate_u32(load_vector<std::uint64_t>(words)) : vcreate_u32(load_vector<std::uint32_t>(words));
  const uint32x4_t with_zeros = vcombine_u32(pair, vdup_n_u32(0)); // which loading a pair leaves behind it
  return (Words)vzip1q_u32(with_zeros, with_zeros);
}
/// Eight codes of two tokens, or of one, with zeros
template <bool two> KERN_INLINE int8x16_t load_token_codes(const std::int8_t* codes) {
  if constexpr (two) return vld1q_s8(codes);
  else return vcombine_s8(vld1_s8(codes), vdup_n_s8(0));
}
/// A pair of rows' results of two tokens that lie `stride` apart, or of one, with zeros
template <bool two> KERN_INLINE Floats load_results(const float* from, std::ptrdiff_t stride) {
  return (Floats)vcombine_f32(vld1_f32(from), two ? vld1_f32(from + stride) : vdup_n_f32(0.0f));
}
template <bool two> KERN_INLINE void store_results(float* to, std::ptrdiff_t stride, Floats results) {
  vst1_f32(to, vget_low_f32((float32x4_t)results));
  if constexpr (two) vst1_f32(to + stride, vget_high_f32((float32x4_t)results));
}

/// What a tile of T tokens has at vector `i` of its sums.
template <int T, int i> struct TilePlace {
  static constexpr int row = i % tile_row_pairs * 2;
  static constexpr int token = i / tile_row_pairs * 2;
  static constexpr bool two = token + 1 < T;
};

template <int T> constexpr int tile_sums = (T + 1) / 2 * tile_row_pairs;

/// f(index, its TilePlace) for each vector of sums
template <int T, class F> KERN_INLINE void each_place(F&& f) {
  unroll<tile_sums<T>>([&](auto i) __attribute__((always_inline)) { f(i, TilePlace<T, i>{}); });
}

/// Zeros by an instruction of their own, instead of copies of a register of zeros: Q4_0's block 64 cycles with copies,
/// 60 so (LLVM's model of Neoverse N2).
KERN_INLINE Ints fresh_zeros() {
  Ints zeros;
  asm volatile("movi %0.2d, #0" : "=w"(zeros));
  return zeros;
}

/// The exact sums of a group, of codes that begin with it.
template <class Kind, int T> KERN_INLINE void sum_group(const std::uint8_t* rows, const std::int8_t* x, Ints* sums) {
  unroll<tile_sums<T>>([&](auto i) __attribute__((always_inline)) { sums[i] = fresh_zeros(); });
#pragma GCC unroll 4
  for (int k = 0; k < Kind::group; k += 8) {
    int8x16_t row_codes[tile_row_pairs];
    unroll<tile_row_pairs>([&](auto r) __attribute__((always_inline)) {
      row_codes[r] = vreinterpretq_s8_u8(vld1q_u8(rows + r * 16));
    });
    each_place<T>([&](auto i, auto at) __attribute__((always_inline)) {
      const int8x16_t tokens = load_token_codes<at.two>(x + at.token * 8);
      sums[i] = (Ints)vmmlaq_s32((int32x4_t)sums[i], tokens, row_codes[at.row / 2]);
    });
    rows += chunk_rows * 8;
    x += T * 8;
  }
}

/// s -= the minimums of block b times their activations, whose sums are `corrections` [pairs][T].
template <class Kind, int T>
KERN_INLINE void subtract_minimums(const PanelChunk& panel, int b, const std::int32_t* corrections, Floats* s) {
  constexpr int pairs = (Kind::block / Kind::group + 1) / 2;
  Ints minimums[tile_sums<T>] = {};
  for (int p = 0; p < pairs; ++p)
    each_place<T>([&](auto i, auto at) __attribute__((always_inline)) {
      const Words pair = load_row_pair(panel.min_pairs + (b * pairs + p) * chunk_rows + at.row);
      minimums[i] = dot_pairs(minimums[i], pair, load_token_pair<at.two>(corrections + p * T + at.token));
    });
  each_place<T>([&](auto i, auto at) __attribute__((always_inline)) {
    const Floats min_scale = bits_to_floats(load_row_pair(panel.min_scales + b * chunk_rows + at.row));
    s[i] = fused_negated(to_floats(minimums[i]), min_scale, s[i]);
  });
}

/// One rounding block without its tokens' scales.
template <class Kind, int T> KERN_INLINE void sum_block(const PanelChunk& panel, const TileChunk& x, int b, Floats* s) {
  constexpr int groups = Kind::block / Kind::group;
  const std::uint8_t* codes = panel.codes + b * Kind::block * chunk_rows;
  const auto* x_codes = reinterpret_cast<const std::int8_t*>(x.codes) + b * Kind::block * T;
  Ints total[tile_sums<T>] = {};
  for (int g = 0; g < groups; ++g) {
    Ints sums[tile_sums<T>];
    sum_group<Kind, T>(codes + g * Kind::group * chunk_rows, x_codes + g * Kind::group * T, sums);
    const std::ptrdiff_t scale_row = static_cast<std::ptrdiff_t>(b * groups + g) * chunk_rows;
    each_place<T>([&](auto i, auto at) __attribute__((always_inline)) {
      if constexpr (Kind::whole) {
        total[i] += sums[i] * as_ints(load_row_pair(panel.whole_scales + scale_row + at.row));
      } else {
        const Floats scale = bits_to_floats(load_row_pair(panel.scales + scale_row + at.row));
        s[i] = g == 0 ? to_floats(sums[i]) * scale : fused_lanes(to_floats(sums[i]), scale, s[i]);
      }
    });
  }
  if constexpr (Kind::whole)
    each_place<T>([&](auto i, auto at) __attribute__((always_inline)) {
      s[i] = to_floats(total[i]) * bits_to_floats(load_row_pair(panel.scales + b * chunk_rows + at.row));
    });
  if constexpr (Kind::has_min) subtract_minimums<Kind, T>(panel, b, x.corrections + b * ((groups + 1) / 2) * T, s);
}

/// Eight rows times T tokens over `blocks` rounding blocks.
template <class Kind, int T>
void tile_product(const PanelChunk& panel, const TileChunk& x, int blocks, const TileResults& results) {
  Floats result[tile_sums<T>] = {};
  if (results.from)
    each_place<T>([&](auto i, auto at) __attribute__((always_inline)) {
      result[i] = load_results<at.two>(results.from + at.token * chunk_rows + at.row, chunk_rows);
    });
  for (int b = 0; b < blocks; ++b) {
    Floats s[tile_sums<T>];
    sum_block<Kind, T>(panel, x, b, s);
    each_place<T>([&](auto i, auto at) __attribute__((always_inline)) {
      const Floats scale = bits_to_floats(load_token_pair<at.two>(x.scales + b * T + at.token));
      result[i] = fused_lanes(s[i], scale, result[i]);
    });
  }
  each_place<T>([&](auto i, auto at) __attribute__((always_inline)) {
    store_results<at.two>(results.to + at.token * results.stride + at.row, results.stride, result[i]);
  });
}

template <class Kind> KERN_INLINE void prepare_tile_products(int) {}
KERN_INLINE void end_tile_products() {}

/// `rows` rows (a multiple of 16) of a chunk with a tile of 1..tile_tokens tokens.
template <class Kind>
void chunk_product(const PanelChunk& chunk, int rows, const TileChunk& x, int tokens, int blocks,
                   const TileResults& results) {
  unroll<tile_tokens>([&](auto t) {
    if (t + 1 == tokens)
      for (int lane = 0; lane < rows; lane += 2 * tile_row_pairs)
        tile_product<Kind, t + 1>(chunk.from(lane), x, blocks, results.at(lane));
  });
}

/// Multiply-adds of int8 codes done: of products that wait for no other.
std::int64_t saturate_int8(std::int64_t rounds) {
  constexpr int chains = 20;
  int32x4_t sum[chains];
  unroll<chains>([&](auto c) __attribute__((always_inline)) { sum[c] = vdupq_n_s32(c); });
  int8x16_t codes = vdupq_n_s8(3);
  for (std::int64_t i = 0; i < rounds; ++i)
    unroll<chains>([&](auto c) __attribute__((always_inline)) {
      sum[c] = vmmlaq_s32(sum[c], codes, codes);
      opaque(codes); // each product is worked out anew
    });
  unroll<chains>([&](auto c) __attribute__((always_inline)) { opaque(sum[c]); });
  return rounds * chains * 4 * 8;
}
