// How blocks of the grid formats interleave: not as numbers of points, whose look-up in a code book of thousands of
// bytes no vector does well, but spelt out, each weight's level and sign beside each other, of which a byte shuffle
// makes codes. That takes 2.2 to 4.2 bits a weight where the file has 1.6 to 3.4. Decode of 1.1B IQ2_XXS on Zen 4: 55
// tokens/s, and 3 to 5 through the code book.
//
// split() writes a byte for each weight, its number, of which level() makes its code, and words of scales behind them.
// In a panel that stays the numbers are packed.

/// Numbers of levels: of the points' coordinates by grid_table().
constexpr std::uint8_t three_levels[3] = {0, 1, 2};
constexpr std::uint8_t eight_levels[8] = {0, 1, 2, 3, 4, 5, 6, 7};

/// Scales 2 * n + 1 of groups, n in the low bits of a nibble, eight a word from `first_word` on; their scale in half 0.
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

/// What they share: `packed` words of codes, then `beside` words of scales and what else there is.
template <class Traits, int packed, int beside> struct SpeltOut {
  static constexpr int code_words = packed, words = packed + beside, halves = 1, bytes = 0;
  static constexpr int spelt_words = Traits::width / 4;
  using Header = OddScales<Traits, packed>;
  using SpeltHeader = OddScales<Traits, spelt_words>;
  /// The numbers.
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    unroll<spelt_words>([&](auto k) __attribute__((always_inline)) { f(k, source.word(k)); });
  }
  KERN_INLINE static void put(std::uint32_t* to, int i, std::uint64_t numbers) {
    __builtin_memcpy(to + 2 * i, &numbers, sizeof numbers);
  }
  /// `extra` [groups]: bits above a nibble's scale, or null
  KERN_INLINE static void put_scales(const typename Traits::Block& block, const std::uint8_t* extra,
                                     std::uint32_t* to) {
    constexpr int groups = Traits::width / Traits::group;
    if constexpr (requires { requires Traits::scale_count == 16 && sizeof block.scales == groups / 2; }) {
      __builtin_memcpy(to + spelt_words, block.scales, sizeof block.scales);
    } else {
      std::int16_t scales[groups];
      Traits::unpack_scales(block, scales);
      for (int g = 0; g < groups; g += 8) {
        std::uint32_t word = 0;
        for (int i = 0; i < 8; ++i)
          word |= static_cast<std::uint32_t>(scales[g + i] >> 1 | (extra ? extra[g + i] << 3 : 0)) << (4 * i);
        to[spelt_words + g / 8] = word;
      }
    }
  }
};

template <class Codec>
requires(Codec::spelt_words > 0) struct InFileOrder<Codec> : Codec {
  static constexpr int words = Codec::spelt_words + Codec::words - Codec::code_words;
  using Header = typename Codec::SpeltHeader;
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    Codec::file_codes(
        source, [&](int k, Words numbers) __attribute__((always_inline)) { f(k, Codec::level(numbers)); });
  }
};

/// IQ2_* and IQ3_*: magnitudes of a few levels, and signs. A number is that of the level with the sign above.
template <class Traits, const auto& level_numbers, int packed>
struct SignedLevels : SpeltOut<Traits, packed, Traits::width / Traits::group / 8> {
  using Spelt = SpeltOut<Traits, packed, Traits::width / Traits::group / 8>;
  static constexpr int count = static_cast<int>(sizeof Traits::levels);
  static constexpr int sign = count <= 4 ? 4 : 8;
  static constexpr int bias = Traits::levels[count - 1], max_code = 2 * bias;

  struct Table {
    std::uint8_t bytes[16] = {};
  };
  /// Codes plus the largest level, by number.
  static constexpr Table table = [] {
    Table made;
    for (int i = 0; i < count; ++i) {
      made.bytes[i] = static_cast<std::uint8_t>(bias + Traits::levels[i]);
      made.bytes[sign + i] = static_cast<std::uint8_t>(bias - Traits::levels[i]);
    }
    return made;
  }();
  KERN_INLINE static Words level(Words numbers) { return look_up(table.bytes, numbers); }

  struct SignBytes {
    std::uint64_t of[256] = {};
  };
  /// `sign` in the bytes of negative weights, by what each_eight() gives of them.
  static constexpr SignBytes sign_bytes = [] {
    SignBytes made;
    for (std::uint32_t bits = 0; bits < 256; ++bits) {
      const std::uint32_t signs = Traits::sign_kind == GridSigns::even ? even_signs(bits) : bits;
      for (int i = 0; i < 8; ++i) made.of[bits] |= static_cast<std::uint64_t>(signs >> i & 1u) * sign << (8 * i);
    }
    return made;
  }();

  KERN_INLINE static std::uint16_t split(const typename Traits::Block& block, std::uint32_t* to) {
    Traits::template each_eight<level_numbers>(
        block, [&](int i, std::uint64_t levels, std::uint32_t signs)
                   __attribute__((always_inline)) { Spelt::put(to, i, levels | sign_bytes.of[signs]); });
    Spelt::put_scales(block, nullptr, to);
    return block.d.bits;
  }
};

/// Three levels: two bits and the sign.
template <class Traits> struct ThreeLevelCodec : SignedLevels<Traits, three_levels, 24> {
  KERN_INLINE static void pack(const Words* numbers, Words* to) {
    unroll<8>([&](auto g) __attribute__((always_inline)) { pack_three_bits(numbers + g * 8, to + g * 3); });
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    const auto code = [&](int k, Words numbers) __attribute__((always_inline)) {
      f(k, ThreeLevelCodec::level(numbers));
    };
    unroll<8>([&](auto g) __attribute__((always_inline)) { three_bit_codes(source, g * 3, g * 8, code); });
  }
};

template <> struct PanelCodec<IQ2_XXS> : ThreeLevelCodec<IQ2_XXS> {};
template <> struct PanelCodec<IQ2_XS> : ThreeLevelCodec<IQ2_XS> {};
template <> struct PanelCodec<IQ2_S> : ThreeLevelCodec<IQ2_S> {};

/// Eight levels: a nibble with the sign.
template <class Traits> struct EightLevelCodec : SignedLevels<Traits, eight_levels, 32> {
  KERN_INLINE static void pack(const Words* numbers, Words* to) { pack_grouped_nibbles(numbers, to); }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    grouped_nibbles(
        source, [&](int k, Words numbers) __attribute__((always_inline)) { f(k, EightLevelCodec::level(numbers)); });
  }
};

template <> struct PanelCodec<IQ3_XXS> : EightLevelCodec<IQ3_XXS> {};
template <> struct PanelCodec<IQ3_S> : EightLevelCodec<IQ3_S> {};

/// IQ1_*: coordinates -1, 0 and 1; eight times that and 1 more or less are the codes. A number counts coordinates from
/// 0, with 4 above where they are shifted up, and is packed without.
template <class Traits, int beside> struct ShiftedCodec : SpeltOut<Traits, 16, beside> {
  static constexpr int bias = 9, max_code = 18;
  /// Codes plus 9, by number.
  static constexpr std::uint8_t table[16] = {0, 8, 16, 0, 2, 10, 18};
  KERN_INLINE static Words level(Words numbers) { return look_up(table, numbers); }

  /// ups [32]: of eight weights, whether they are shifted up
  KERN_INLINE static void split_codes(const typename Traits::Block& block, std::uint32_t* to, std::uint8_t* ups) {
    Traits::template each_eight<three_levels>(
        block, [&](int i, std::uint64_t levels, std::uint32_t down) __attribute__((always_inline)) {
          ups[i] = static_cast<std::uint8_t>(1 - down);
          ShiftedCodec::put(to, i, levels | eight_bytes(4 * (1 - down)));
        });
  }
  KERN_INLINE static void pack(const Words* numbers, Words* to) { pack_two_bits(numbers, to); }

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
template <> struct PanelCodec<IQ1_S> : ShiftedCodec<IQ1_S, 1> {
  KERN_INLINE static std::uint16_t split(const IQ1_S::Block& block, std::uint32_t* to) {
    std::uint8_t ups[32];
    std::uint8_t of_groups[8];
    split_codes(block, to, ups);
    for (int g = 0; g < 8; ++g) of_groups[g] = ups[g * 4];
    put_scales(block, of_groups, to);
    return block.d.bits;
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    const Words ups = source.word(16);
    shifted_codes(
        source, [&](auto k) __attribute__((always_inline)) { return spread_up<k / 8 * 4 + 3>(ups); }, f);
  }
};

/// Two words of scales, and one of shifts, one of eight weights.
template <> struct PanelCodec<IQ1_M> : ShiftedCodec<IQ1_M, 3> {
  KERN_INLINE static std::uint16_t split(const IQ1_M::Block& block, std::uint32_t* to) {
    std::uint8_t ups[32];
    split_codes(block, to, ups);
    put_scales(block, nullptr, to);
    std::uint32_t word = 0;
    for (int i = 0; i < 32; ++i) word |= static_cast<std::uint32_t>(ups[i]) << i;
    to[spelt_words + 2] = word;
    return IQ1_M::scale_of_scales(block).bits;
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    const Words ups = source.word(18);
    shifted_codes(
        source, [&](auto k) __attribute__((always_inline)) { return spread_up<k / 2>(ups); }, f);
  }
};
