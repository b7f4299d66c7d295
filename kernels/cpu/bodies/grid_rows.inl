// One token times rows of the grid formats as they lie in the file. Points are looked up into the vector that is
// multiplied; spelling blocks out for a panel and turning them takes two to four times as long. A block's sum over its
// groups, scales included, is a whole number, the same in any order and hence the same as a panel's.
#if defined(__AVX2__)

/// Eight bytes from each of four addresses at(first) and on. (Loads that repeat and blends, which take no unit that
/// moves bytes, are 5% slower on Zen 4.)
template <int first, class F> KERN_INLINE __m256i four_eights(F&& at) {
  const auto two = [&](auto i) __attribute__((always_inline)) {
    const __m128d low = _mm_load_sd(reinterpret_cast<const double*>(at(std::integral_constant<int, first + i>{})));
    return _mm_castpd_si128(
        _mm_loadh_pd(low, reinterpret_cast<const double*>(at(std::integral_constant<int, first + i + 1>{}))));
  };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(two(std::integral_constant<int, 0>{})),
                                 two(std::integral_constant<int, 2>{}), 1);
}
/// Four bytes from each of eight.
template <int first, class F> KERN_INLINE __m256i eight_fours(F&& at) {
  const auto four = [&](auto i) __attribute__((always_inline)) {
    const auto word = [&](auto k) __attribute__((always_inline)) {
      return load_vector<std::int32_t>(at(std::integral_constant<int, first + i + k>{}));
    };
    __m128i words = _mm_cvtsi32_si128(word(std::integral_constant<int, 0>{}));
    unroll<3>([&](auto k) __attribute__((always_inline)) {
      words = _mm_insert_epi32(words, word(std::integral_constant<int, k + 1>{}), k + 1);
    });
    return words;
  };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(four(std::integral_constant<int, 0>{})),
                                 four(std::integral_constant<int, 4>{}), 1);
}

/// Bytes of a vector from 16, by their numbers.
KERN_INLINE __m256i spread_bytes(__m128i from, const std::uint8_t* numbers) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(from), load_vector<__m256i>(numbers));
}

#if defined(__AVX512VNNI__)
#include "kernels/cpu/bodies/grid_lanes_avx512.inl"
#else
#include "kernels/cpu/bodies/grid_lanes_avx2.inl"
#endif

using EightsBytes = std::uint8_t __attribute__((vector_size(32)));               // for eight weights each
using GroupWords = std::uint32_t __attribute__((vector_size(32)));               // for 32 weights each
using RunHalves = std::uint16_t __attribute__((vector_size(32)));                // for 16 weights each
using PointNumbers = std::uint16_t __attribute__((vector_size(4 * lane_count))); // of points

/// What a block says beside the low bytes of its points.
struct GridBlock {
  alignas(64) std::uint16_t numbers[64]; // of points, where they are more than bytes
  alignas(32) std::uint8_t beside[32];   // of eight weights: signs; or 2 where they are shifted up
  alignas(32) std::int16_t scales[16];   // of 16 weights: 2 * n + 1
};

KERN_INLINE __m128i load_eight(const void* from) { return _mm_loadl_epi64(static_cast<const __m128i*>(from)); }

/// Where the high bits of points are: number i has them in bytes `from[2 * i]` and `from[2 * i + 1]`, below bit 8 by as
/// much as `factors[i]` moves them.
template <int points> struct HighBits {
  std::uint8_t from[2 * points];
  std::uint16_t factors[points];
  std::uint16_t mask;
};
/// byte(i, j): byte j of number i; factor(i)
template <int points, class Byte, class Factor>
constexpr HighBits<points> high_bits(std::uint16_t mask, Byte byte, Factor factor) {
  HighBits<points> made{};
  made.mask = mask;
  for (int i = 0; i < points; ++i) {
    for (int j = 0; j < 2; ++j) made.from[2 * i + j] = static_cast<std::uint8_t>(byte(i, j));
    made.factors[i] = static_cast<std::uint16_t>(factor(i));
  }
  return made;
}
template <int points>
KERN_INLINE void read_numbers(const std::uint8_t* low, __m128i high, const HighBits<points>& bits, std::uint16_t* to) {
  constexpr int at_once = 2 * lane_count;
  using LowBytes = std::uint8_t __attribute__((vector_size(at_once)));
  unroll<points / at_once>([&](auto part) __attribute__((always_inline)) {
    constexpr int i = part * at_once;
    const auto words = (PointNumbers)spread_lanes(high, bits.from + 2 * i);
    const auto above = words * load_vector<PointNumbers>(bits.factors + i) & bits.mask;
    store_vector(to + i, __builtin_convertvector(load_vector<LowBytes>(low + i), PointNumbers) | above);
  });
}

/// Number i, a constant, of numbers that lie side by side, eight bytes of which can be read. Loads are what there is
/// too much of: 7% faster than one for each number.
template <class Number> KERN_INLINE unsigned number_of(const Number* from, int i) {
  constexpr int each = 8 / static_cast<int>(sizeof(Number));
  const auto word = load_vector<std::uint64_t>(from + i / each * each);
  return static_cast<Number>(word >> (i % each * 8 * static_cast<int>(sizeof(Number))));
}

/// Seven signs a byte, and the eighth that follows from them.
KERN_INLINE GroupWords with_even_sign(GroupWords signs) {
  GroupWords parity = signs ^ signs >> 4; // what comes over from the next byte stays in high bits
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return signs | (parity & 0x01010101u) << 7;
}
/// Signs and scales of groups of 32 from words of four times seven signs, lowest first, and n.
KERN_INLINE void read_signs_and_scales(GroupWords words, GridBlock& to) {
  const GroupWords apart =
      (words & 0x7Fu) | (words << 1 & 0x7F00u) | (words << 2 & 0x7F0000u) | (words << 3 & 0x7F000000u);
  store_vector(to.beside, with_even_sign(apart));
  store_vector(to.scales, (words >> 28) * 0x00020002u + 0x00010001u);
}
/// Scales of groups of 16, n in nibbles.
KERN_INLINE void read_nibble_scales(const std::uint8_t (&packed)[8], GridBlock& to) {
  const auto two = (GroupWords)_mm256_cvtepu8_epi32(load_eight(packed));
  store_vector(to.scales, ((two & 15u) | (two << 12 & 0xF0000u)) * 2 + 0x00010001u);
}

/// How a format's blocks are read: what is beside the points, and numbers of points, which are less than `below`
/// whatever the block's bits are.
template <class Traits> struct GridRows;

/// Numbers that read() has put together from low bytes and high bits.
struct JoinedNumbers {
  template <class Block> KERN_INLINE static unsigned number(const Block&, const GridBlock& read, int i) {
    return number_of(read.numbers, i);
  }
};

template <> struct GridRows<IQ2_XXS> {
  static constexpr int below = 256;
  KERN_INLINE static void read(const IQ2_XXS::Block& block, GridBlock& to) {
    const auto first = load_vector<__m256>(block.groups), second = load_vector<__m256>(block.groups + 4);
    const __m256 odd = _mm256_shuffle_ps(first, second, 0xDD); // words 1, 3, 9, 11, 5, 7, 13 and 15
    read_signs_and_scales((GroupWords)_mm256_permute4x64_epi64(_mm256_castps_si256(odd), 0xD8), to);
  }
  KERN_INLINE static unsigned number(const IQ2_XXS::Block& block, const GridBlock&, int i) {
    return number_of(block.groups[i / 4].points, i % 4);
  }
};

template <> struct GridRows<IQ2_XS> {
  static constexpr int below = 512;
  KERN_INLINE static void read(const IQ2_XS::Block& block, GridBlock& to) {
    using Points = std::uint16_t __attribute__((vector_size(64)));
    const auto seven = __builtin_convertvector(load_vector<Points>(block.points) >> 9, EightsBytes);
    store_vector(to.beside, with_even_sign(reinterpret_cast<GroupWords>(seven)));
    read_nibble_scales(block.scales, to);
  }
  KERN_INLINE static unsigned number(const IQ2_XS::Block& block, const GridBlock&, int i) {
    return number_of(block.points, i) & 511u;
  }
};

template <> struct GridRows<IQ2_S> : JoinedNumbers {
  static constexpr auto high = high_bits<32>(
      0x300, [](int i, int) { return i / 4; }, [](int i) { return 256 >> (i % 4 * 2); });
  static constexpr int below = high.mask + 256;
  KERN_INLINE static void read(const IQ2_S::Block& block, GridBlock& to) {
    read_numbers(block.points, load_eight(block.high), high, to.numbers);
    __builtin_memcpy(to.beside, block.signs, sizeof to.beside);
    read_nibble_scales(block.scales, to);
  }
};

template <> struct GridRows<IQ3_XXS> {
  static constexpr int below = 256;
  KERN_INLINE static void read(const IQ3_XXS::Block& block, GridBlock& to) {
    read_signs_and_scales(load_vector<GroupWords>(block.signs), to);
  }
  KERN_INLINE static unsigned number(const IQ3_XXS::Block& block, const GridBlock&, int i) {
    return number_of(block.points, i);
  }
};

template <> struct GridRows<IQ3_S> : JoinedNumbers {
  static constexpr auto high = high_bits<64>(
      0x100, [](int i, int) { return i / 8; }, [](int i) { return 256 >> (i % 8); });
  static constexpr int below = high.mask + 256;
  KERN_INLINE static void read(const IQ3_S::Block& block, GridBlock& to) {
    read_numbers(block.points, load_eight(block.high), high, to.numbers);
    __builtin_memcpy(to.beside, block.signs, sizeof to.beside);
    const GroupWords all = GroupWords{} + load_vector<std::uint32_t>(block.scales);
    store_vector(to.scales, (all >> GroupWords{0, 4, 8, 12, 16, 20, 24, 28} & 15u) * 0x00020002u + 0x00010001u);
  }
};

template <> struct GridRows<IQ1_S> : JoinedNumbers {
  // Of a group's word three bits for each of its points; the last point's are all in the upper byte.
  static constexpr auto high = high_bits<32>(
      0x700, [](int i, int j) { return i / 4 * 2 + (i % 4 == 3 ? 1 : j); },
      [](int i) { return i % 4 == 3 ? 128 : 256 >> (i % 4 * 3); });
  static constexpr auto upper_bytes = high_bits<16>(
      0, [](int i, int j) { return (2 * i + j) / 4 * 2 + 1; }, [](int) { return 0; });
  static constexpr int below = high.mask + 256;
  KERN_INLINE static void read(const IQ1_S::Block& block, GridBlock& to) {
    const auto words = load_vector<__m128i>(block.high);
    read_numbers(block.points, words, high, to.numbers);
    store_vector(to.beside, ~(GroupWords)spread_bytes(words, upper_bytes.from) >> 6 & 0x02020202u);
    const auto groups = (GroupWords)_mm256_cvtepu16_epi32(words);
    store_vector(to.scales, (groups >> 12 & 7u) * 0x00020002u + 0x00010001u);
  }
};

template <> struct GridRows<IQ1_M> : JoinedNumbers {
  static constexpr auto high = high_bits<32>(
      0x700, [](int i, int) { return i / 2; }, [](int i) { return 256 >> (i % 2 * 4); });
  // Of each word three bits for each of four groups, moved to the top.
  static constexpr auto scales = high_bits<16>(
      0, [](int i, int j) { return i / 4 * 2 + j; }, [](int i) { return 8192 >> (i % 4 * 3); });
  static constexpr int below = high.mask + 256;
  KERN_INLINE static void read(const IQ1_M::Block& block, GridBlock& to) {
    const auto nibbles = load_vector<__m128i>(block.high);
    read_numbers(block.points, nibbles, high, to.numbers);
    const auto down = ~(RunHalves)_mm256_cvtepu8_epi16(nibbles);
    store_vector(to.beside, (down >> 2 & 0x0002) | (down << 2 & 0x0200));
    const auto words = (RunHalves)spread_bytes(load_eight(block.scales), scales.from);
    store_vector(to.scales, (words * load_vector<RunHalves>(scales.factors) >> 13) * 2 + 1);
  }
};

/// Points as unsigned bytes: magnitudes, or of IQ1_* coordinates from 0.
template <class Traits>
constexpr bool has_signs = Traits::sign_kind == GridSigns::even || Traits::sign_kind == GridSigns::free;
constexpr std::uint8_t coordinates_iq1[3] = {0, 8, 16};
template <class Traits> constexpr auto make_row_points() {
  if constexpr (!has_signs<Traits>) return grid_table<std::uint64_t>(Traits::book, coordinates_iq1);
  else if constexpr (std::size(Traits::levels) == 8) return grid_table<std::uint32_t>(Traits::book, Traits::levels);
  else return grid_table<std::uint64_t>(Traits::book, Traits::levels);
}
template <class Traits> constexpr auto row_points = make_row_points<Traits>();

/// A block's sum of codes times scales times activations x [256], with sums [16] of 16 of those each.
template <class Traits>
KERN_INLINE std::int32_t grid_block_sum(const typename Traits::Block& block, const GridBlock& beside,
                                        const std::int8_t* x, const std::int16_t* x_sums) {
  constexpr auto& table = row_points<Traits>.points;
  static_assert(std::size(table) == GridRows<Traits>::below);
  constexpr int step = 4 * lane_count; // weights a vector
  constexpr int points = step / static_cast<int>(sizeof table[0]);
  Ints sum{};
  if constexpr (!has_signs<Traits>) { // bytes are 9 more than what they stand for
    const RunHalves minus_nine = load_vector<RunHalves>(beside.scales) * static_cast<std::uint16_t>(-9);
    sum = eight_ints(_mm256_madd_epi16((__m256i)minus_nine, load_vector<__m256i>(x_sums)));
  }
  unroll<256 / step>([&](auto s) __attribute__((always_inline)) {
    const auto at = [&](auto i) __attribute__((always_inline)) {
      return &table[GridRows<Traits>::number(block, beside, s * points + i)];
    };
    Words codes;
    if constexpr (sizeof table[0] == 8) codes = gather_eights(at);
    else codes = gather_fours(at);
    auto activations = load_vector<Words>(x + s * step);
    if constexpr (has_signs<Traits>) activations = negate_bytes(activations, beside.beside + s * step / 8);
    else codes |= repeat_eights(beside.beside + s * step / 8);
    sum = dot_scaled(sum, codes, activations, beside.scales + s * step / 16);
  });
  return sum_lanes(sum);
}

/// One token times a row. What is beside the points is read a block ahead: numbers loaded right after they were stored
/// would wait. IQ2_S, IQ3_S and IQ1_S 13, 9 and 13 G weights/s so, 17, 12 and 17 ahead. Rows follow each other in
/// memory; reading those ahead by hand as well, by 4 KB into the second-level cache, costs a tenth.
template <class Traits> float grid_row_product(const std::byte* row, int columns, const QuantizedRows& x) {
  using Block = typename Traits::Block;
  const auto* blocks = reinterpret_cast<const Block*>(row);
  const int count = columns / Traits::width;
  GridBlock beside[2];
  GridRows<Traits>::read(blocks[0], beside[0]);
  float result = 0.0f;
  for (int b = 0; b < count; ++b) {
    if (b + 1 < count) GridRows<Traits>::read(blocks[b + 1], beside[(b + 1) % 2]);
    asm("" : "+m"(beside)); // or the compiler takes numbers out of vectors one by one
    const std::int32_t sum = grid_block_sum<Traits>(blocks[b], beside[b % 2], x.codes + b * 256, x.sums + b * 16);
    result = __builtin_fmaf(static_cast<float>(sum) * Traits::block_scale(blocks[b]), x.scales[b], result);
  }
  return result;
}

/// One token and rows as they lie in the file.
template <class Traits> void product_share_rows(const ProductShare& share) {
  for (std::int64_t row = share.row_begin; row < share.row_end; ++row)
    share.out[row] = grid_row_product<Traits>(share.weights + static_cast<std::size_t>(row) * share.row_bytes,
                                              share.columns, share.quantized);
}
template <class Traits> constexpr bool multiplies_rows = requires { sizeof(GridRows<Traits>); };

#else
template <class Traits> constexpr bool multiplies_rows = false;
#endif
