// What the product bodies ask of an instruction set: vectors of 32-bit lanes, a lane for each weight row of a panel.
//   Words   unsigned 32-bit lanes, four bytes of codes each      Ints   the same bits, signed
//   Floats  binary32 lanes
// `lane_count` lanes a vector; panels of 16 rows are walked in 16 / lane_count parts.
//
// lanes_NAME.inl says, for one family of instruction sets:
//   tile_tokens, tile_vectors      how many tokens a tile of activations holds, and how many vectors of rows meet it at
//                                  once: as many as the registers hold
//   dot_bytes<max_code>(acc, codes, x)  acc + the sum of a lane's four codes (unsigned, at most `max_code`) times x's
//                                  four bytes (signed, -127..127)
//   wide_is_signed                 codes above 127 stand for code - 128: then no correction is due
//   code_class(max_code, group, whole)  the largest code that tiles of groups of so many columns, with scales that are
//                                  whole numbers or not, treat as this one
//   dot_pairs(acc, a, b)           acc + the sum of a lane's two 16-bit products
//   to_floats, fused_lanes (a * b + c), fused_negated (c - a * b), look_up (a byte of 16 for each index byte),
//   repeat_byte<i> (a lane's byte i four times),
//   load_halves, store_halves (to nearest, ties to even, as to_half), load_shorts, load_bytes_wide, largest_lane

#if defined(__AVX512VNNI__)
constexpr int lane_count = 16;
#elif defined(__AVX2__)
constexpr int lane_count = 8;
#else
constexpr int lane_count = 4;
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
// Whether products with copies of a number need no vector of them, and compilers know it. Neoverse N2 takes 14.5 cycles
// a step for tiles of 8 x 3 float sums by LLVM's model, and 18 with vectors.
#if defined(__aarch64__)
constexpr bool multiplies_by_element = true;
KERN_INLINE Floats every_lane(float value) { return (Floats)vdupq_n_f32(value); }
#else
constexpr bool multiplies_by_element = false;
// As bits: 0.0f + value would be an addition.
KERN_INLINE Floats every_lane(float value) { return bits_to_floats(Words{} + float_bits(value)); }
#endif

/// 16 rows that begin `stride` bytes apart. Two of their addresses and four distances are all that has to be kept: the
/// compiler would keep 16 addresses, and move them from register to register.
struct RowPointers {
  const std::byte* first;
  const std::byte* ninth;
  std::size_t stride, three, five, seven;

  KERN_INLINE RowPointers(const std::byte* rows, std::size_t row_stride)
      : first(rows), ninth(rows + 8 * row_stride), stride(row_stride), three(3 * stride), five(5 * stride),
        seven(7 * stride) {
    asm("" : "+r"(first), "+r"(ninth), "+r"(three), "+r"(five), "+r"(seven));
  }
  template <int r> KERN_INLINE const std::byte* row(int offset) const {
    const std::byte* eight = (r < 8 ? first : ninth) + offset;
    if constexpr (r % 8 == 3) return eight + three;
    else if constexpr (r % 8 == 5) return eight + five;
    else if constexpr (r % 8 == 6) return eight + 2 * three;
    else if constexpr (r % 8 == 7) return eight + seven;
    else return eight + r % 8 * stride;
  }
  KERN_INLINE void advance(std::size_t bytes) { first += bytes, ninth += bytes; }
};

#if defined(__AVX512VNNI__)
#include "kernels/cpu/bodies/lanes_avx512.inl"
#elif defined(__AVX2__)
#include "kernels/cpu/bodies/lanes_avx2.inl"
#elif defined(__aarch64__)
#include "kernels/cpu/bodies/lanes_neon.inl"
#else
#include "kernels/cpu/bodies/lanes_portable.inl"
#endif

#if !defined(KERN_OWN_TILES)
/// Columns of a token that lie side by side in a tile of activations rounded in such blocks.
template <int block> constexpr int tile_run = 4;
constexpr int panel_run = 4;          // columns of a row that lie side by side in an unpacked panel
constexpr bool signed_panels = false; // whether unpacked codes are signed, or unsigned with a bias
constexpr bool has_planes = false;    // whether blocks of 256 columns are unpacked as in plane_product_amx.inl
#endif

// Runs of dot products: small codes may add up in fewer bits before they widen. A run takes up to run_steps(max_code)
// products:
//   run = start_run(sum); run = add_to_run(run, codes, x) for each; sum = end_run(sum, run)
#if !defined(KERN_NARROW_RUNS)
constexpr int run_steps(int) { return 64; }
template <int max_code> KERN_INLINE Ints start_run(Ints sum) { return sum; }
template <int max_code> KERN_INLINE Ints add_to_run(Ints run, Words codes, std::int32_t x) {
  return dot_bytes<max_code>(run, codes, x);
}
template <int max_code> KERN_INLINE Ints end_run(Ints, Ints run) { return run; }

/// Whether a run that widens is multiplied by a whole scale for nothing, see scaled_product_avx2.inl.
constexpr bool scales_runs(int) { return false; }
KERN_INLINE Ints whole_lanes(Ints scale) { return scale; }
#endif

/// Keeps what was loaded in its register: the compiler would rather load it anew for every operation with it. Tiles of
/// 8 x 3 float sums: 51% of the peak without, 73% with.
template <class Vector> KERN_INLINE void hold(Vector& value) {
#if defined(__AVX512VNNI__)
  asm("" : "+v"(value));
#elif defined(__SSE2__)
  asm("" : "+x"(value));
#elif defined(__aarch64__)
  asm("" : "+w"(value));
#else
  static_cast<void>(value);
#endif
}

/// Keeps the compiler from knowing what is in a register, or that nobody wants it.
template <class Vector> KERN_INLINE void opaque(Vector& value) {
#if defined(__aarch64__)
  asm volatile("" : "+w"(value));
#else
  asm volatile("" : "+x"(value));
#endif
}

#if !defined(__AVX2__) || defined(__AVX512VNNI__)
/// Lanes that fit a byte.
KERN_INLINE void store_bytes(std::int8_t* to, Ints values) {
  using LaneBytes = std::int8_t __attribute__((vector_size(lane_count)));
  store_vector(to, __builtin_convertvector(values, LaneBytes));
}
#endif

#if !defined(__AVX2__) && !defined(__aarch64__)
/// sums [count / 16] = exact sums of 16 codes each
KERN_INLINE void sum_codes(const std::int8_t* codes, int count, std::int16_t* sums) {
  for (int g = 0; g < count / 16; ++g) {
    std::int16_t sum = 0;
    for (int i = 0; i < 16; ++i) sum = static_cast<std::int16_t>(sum + codes[g * 16 + i]);
    sums[g] = sum;
  }
}

/// to [4][16] = four words of each row, `offset` bytes from their beginnings
KERN_INLINE void turn_four(const RowPointers& rows, int offset, std::byte* to) {
  unroll<16>([&](auto r) __attribute__((always_inline)) {
    for (int w = 0; w < 4; ++w) __builtin_memcpy(to + (w * 16 + r) * 4, rows.row<r>(offset + w * 4), 4);
  });
}

/// to [16][to_stride] = the transpose of from [16][stride]
KERN_INLINE void transpose_words(const std::uint32_t* from, int stride, std::uint32_t* to, std::ptrdiff_t to_stride) {
  for (int column = 0; column < 16; ++column)
    for (int r = 0; r < 16; ++r)
      store_vector(to + column * to_stride + r, load_vector<std::uint32_t>(from + r * stride + column));
}
#endif

/// Brings a line of memory close that is about to be read.
KERN_INLINE void prefetch(const void* address) { __builtin_prefetch(address, 0, 3); }
KERN_INLINE void prefetch_second_level(const void* address) { __builtin_prefetch(address, 0, 2); }
KERN_INLINE void prefetch_into(CacheLevel cache, const void* address) {
  cache == CacheLevel::first ? prefetch(address) : prefetch_second_level(address);
}
