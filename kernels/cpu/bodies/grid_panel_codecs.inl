// How blocks of the grid formats interleave: not as numbers of points, whose look-up in a code book of thousands of
// bytes no vector does well, but spelt out, each weight's level and sign beside each other, of which a byte shuffle
// makes codes. That takes 2.2 to 4.2 bits a weight where the file has 1.6 to 3.4. Decode of 1.1B IQ2_XXS on Zen 4: 55
// tokens/s, and 3 to 5 through the code book.

/// Scales 2 * n + 1 of so many groups, n a nibble, eight a word from `first_word` on; their scale in half 0.
template <class Traits, int first_word> struct OddScales {
  static constexpr int groups = Traits::width / Traits::group;
  Words numbers[groups / 8];
  Floats d;
  KERN_INLINE explicit OddScales(const PanelSource& source) : d(source.half(0) * Traits::unit) {
    unroll<groups / 8>([&](auto i) __attribute__((always_inline)) { numbers[i] = source.word(first_word + i); });
  }
  template <int g> KERN_INLINE Ints whole_scale() const {
    return as_ints(((numbers[g / 8] >> (4 * (g % 8))) & static_cast<unsigned>(Traits::scale_count - 1)) << 1 | 1u);
  }
};

/// `extra` [groups]: bits above a nibble's scale, or null
template <class Traits>
KERN_INLINE void pack_odd_scales(const typename Traits::Block& block, int first_word, const std::uint8_t* extra,
                                 const PanelTarget& to) {
  constexpr int groups = Traits::width / Traits::group;
  std::int16_t scales[groups];
  Traits::unpack_scales(block, scales);
  std::uint32_t words[groups / 8] = {};
  for (int g = 0; g < groups; ++g) {
    const auto nibble = static_cast<std::uint32_t>(scales[g] >> 1 | (extra ? extra[g] << 3 : 0));
    words[g / 8] |= nibble << (4 * (g % 8));
  }
  for (int i = 0; i < groups / 8; ++i) to.word(first_word + i, words[i]);
}

/// IQ2_* and IQ3_*: magnitudes of a few levels, and signs. A code is the number of its level with the sign above.
template <class Traits> struct SignedLevels {
  static constexpr int count = static_cast<int>(sizeof Traits::levels);
  static constexpr int sign = count <= 4 ? 4 : 8;
  static constexpr int largest = Traits::levels[count - 1];

  struct Table {
    std::uint8_t bytes[16] = {};
  };
  /// Codes plus the largest level, by number.
  static constexpr Table table = [] {
    Table made;
    for (int i = 0; i < count; ++i) {
      made.bytes[i] = static_cast<std::uint8_t>(largest + Traits::levels[i]);
      made.bytes[sign + i] = static_cast<std::uint8_t>(largest - Traits::levels[i]);
    }
    return made;
  }();

  /// numbers [256]
  KERN_INLINE static void numbers(const typename Traits::Block& block, std::uint8_t* out) {
    constexpr int apart = Traits::levels[1] - Traits::levels[0];
    constexpr int shift = apart >= 16 ? 4 : apart >= 8 ? 3 : 1;
    static_assert(largest >> shift == count - 1);
    std::int8_t codes[256];
    Traits::unpack_codes(block, codes);
    for (int i = 0; i < 256; ++i) {
      const int magnitude = codes[i] < 0 ? -codes[i] : codes[i];
      out[i] = static_cast<std::uint8_t>(magnitude >> shift | (codes[i] < 0 ? sign : 0));
    }
  }
};

/// Three levels: two bits and the sign.
template <class Traits> struct ThreeLevelCodec {
  using Levels = SignedLevels<Traits>;
  static constexpr int words = 24 + Traits::width / Traits::group / 8, halves = 1, bytes = 0;
  static constexpr int bias = Levels::largest, max_code = 2 * Levels::largest;
  using Header = OddScales<Traits, 24>;
  KERN_INLINE static void split(const typename Traits::Block& block, const PanelTarget& to) {
    std::uint8_t numbers[256];
    Levels::numbers(block, numbers);
    std::uint32_t fours[64];
    __builtin_memcpy(fours, numbers, sizeof fours);
    for (int g = 0; g < 8; ++g) pack_three_bits(fours + g * 8, to.words + g * 3);
    pack_odd_scales<Traits>(block, 24, nullptr, to);
    to.half(0, block.d.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    const auto level = [&](int k, Words number) __attribute__((always_inline)) {
      f(k, look_up(Levels::table.bytes, number));
    };
    unroll<8>([&](auto g) __attribute__((always_inline)) { three_bit_codes(source, g * 3, g * 8, level); });
  }
};

template <> struct PanelCodec<IQ2_XXS> : ThreeLevelCodec<IQ2_XXS> {};
template <> struct PanelCodec<IQ2_XS> : ThreeLevelCodec<IQ2_XS> {};
template <> struct PanelCodec<IQ2_S> : ThreeLevelCodec<IQ2_S> {};

/// Eight levels: a nibble with the sign.
template <class Traits> struct EightLevelCodec {
  using Levels = SignedLevels<Traits>;
  static constexpr int words = 33, halves = 1, bytes = 0;
  static constexpr int bias = Levels::largest, max_code = 2 * Levels::largest;
  using Header = OddScales<Traits, 32>;
  KERN_INLINE static void split(const typename Traits::Block& block, const PanelTarget& to) {
    std::uint8_t numbers[256];
    std::uint8_t packed[128];
    Levels::numbers(block, numbers);
    for (int i = 0; i < 128; ++i) {
      const std::uint8_t* low = numbers + i / 16 * 32 + i % 16;
      packed[i] = static_cast<std::uint8_t>(low[0] | low[16] << 4);
    }
    to.copy_words(0, 32, packed);
    pack_odd_scales<Traits>(block, 32, nullptr, to);
    to.half(0, block.d.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    grouped_nibbles(
        source, [&](int k, Words numbers)
                    __attribute__((always_inline)) { f(k, look_up(Levels::table.bytes, numbers)); });
  }
};

template <> struct PanelCodec<IQ3_XXS> : EightLevelCodec<IQ3_XXS> {};
template <> struct PanelCodec<IQ3_S> : EightLevelCodec<IQ3_S> {};

/// IQ1_*: coordinates -1, 0 and 1 as two bits; eight times that and 1 more or less are the codes. With 9 added, eight
/// times the two bits, and 2 where they are shifted up.
struct ShiftedCodec {
  static constexpr int halves = 1, bytes = 0, bias = 9, max_code = 18;

  /// ups [32]: of eight weights, whether they are shifted up
  template <class Traits>
  KERN_INLINE static void split_codes(const typename Traits::Block& block, const PanelTarget& to, std::uint8_t* ups) {
    std::int8_t codes[256];
    std::uint8_t numbers[256];
    Traits::unpack_codes(block, codes);
    for (int i = 0; i < 256; ++i) numbers[i] = static_cast<std::uint8_t>((codes[i] + bias) >> 3);
    for (int i = 0; i < 32; ++i) ups[i] = static_cast<std::uint8_t>((codes[i * 8] + bias) >> 1 & 1);
    pack_two_bits(numbers, 0, to);
  }
  /// up(integral constant k): a word with bit 1 of every byte set where codes 4 * k and on are shifted up
  template <class Up, class F> KERN_INLINE static void shifted_codes(const PanelSource& source, Up&& up, F&& f) {
    unroll<16>([&](auto i) __attribute__((always_inline)) {
      const Words word = source.word(i);
      unroll<4>([&](auto part) __attribute__((always_inline)) {
        constexpr int k = i / 8 * 32 + i % 8 + 8 * part;
        const Words eights = part < 2 ? word << (part < 2 ? 3 - 2 * part : 0) : word >> (part < 2 ? 0 : 2 * part - 3);
        f(k, (eights & 0x18181818u) | up(std::integral_constant<int, k>{}));
      });
    });
  }
  /// Bit `bit` of a word as shifted_codes() wants it.
  template <int bit> KERN_INLINE static Words spread_up(Words word) {
    return reinterpret_cast<Words>(as_ints(word << (31 - bit)) >> 31) & 0x02020202u;
  }
};

/// A group's shift is the fourth bit beside its scale's three.
template <> struct PanelCodec<IQ1_S> : ShiftedCodec {
  static constexpr int words = 17;
  using Header = OddScales<IQ1_S, 16>;
  KERN_INLINE static void split(const IQ1_S::Block& block, const PanelTarget& to) {
    std::uint8_t ups[32];
    std::uint8_t of_groups[8];
    split_codes<IQ1_S>(block, to, ups);
    for (int g = 0; g < 8; ++g) of_groups[g] = ups[g * 4];
    pack_odd_scales<IQ1_S>(block, 16, of_groups, to);
    to.half(0, block.d.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    const Words ups = source.word(16);
    shifted_codes(
        source, [&](auto k) __attribute__((always_inline)) { return spread_up<k / 8 * 4 + 3>(ups); }, f);
  }
};

/// A word of shifts, one of eight weights.
template <> struct PanelCodec<IQ1_M> : ShiftedCodec {
  static constexpr int words = 19;
  using Header = OddScales<IQ1_M, 16>;
  KERN_INLINE static void split(const IQ1_M::Block& block, const PanelTarget& to) {
    std::uint8_t ups[32];
    split_codes<IQ1_M>(block, to, ups);
    pack_odd_scales<IQ1_M>(block, 16, nullptr, to);
    std::uint32_t word = 0;
    for (int i = 0; i < 32; ++i) word |= static_cast<std::uint32_t>(ups[i]) << i;
    to.word(18, word);
    to.half(0, IQ1_M::scale_of_scales(block).bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    const Words ups = source.word(18);
    shifted_codes(
        source, [&](auto k) __attribute__((always_inline)) { return spread_up<k / 2>(ups); }, f);
  }
};
