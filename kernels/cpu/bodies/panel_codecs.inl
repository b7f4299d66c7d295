// How blocks of 16 rows interleave into a panel and how the panel's lanes become codes and scales again.
//
// A block of one row is cut into 32-bit words, 16-bit halves and bytes. A panel holds groups of a few blocks: the
// halves of the group, [block][half][16 rows], its bytes, [block][byte][16], its words, [block][word][16]. So many
// blocks a group that words begin on a cache line; a panel is read from front to back. Since lane = row, unpacking is
// shifts and masks within a lane, and the dot product of four codes with four activations needs no sum across lanes.
// A panel is exactly as large as its rows in the file, but for formats whose codes aren't bits beside each other: those
// of TQ1_0 and of the grid formats (grid_panel_codecs.inl) are spelt out and take more.
//
// A codec says: the counts; `bias`, added to make codes unsigned; `max_code`, the largest after that; split(), from a
// row's block; where the panel's words are others than those, file_codes(source, f), which calls f for those, and
// pack(), from all codes the first `code_words` words of the panel; codes(source, f), calling f(k / 4, lanes of four
// codes) once for each k / 4, of any eight, four or two within a group the first before and the last after the others;
// Header, whose scale<g>() are the weight scales of group g, or where they are whole numbers whole_scale<g>(), and d
// the block's. With minimums: min_pair<p>() are those of groups 2p and 2p + 1 as 16-bit halves of a lane, min_scale()
// their scale.

template <class Traits> struct PanelCodec;

/// Bytes of an interleaved block of one row.
template <class Traits>
constexpr int panel_block_bytes =
    4 * PanelCodec<Traits>::words + 2 * PanelCodec<Traits>::halves + PanelCodec<Traits>::bytes;

struct OneScale {
  Floats value;
  KERN_INLINE explicit OneScale(const PanelSource& source) : value(source.half(0)) {}
  template <int> KERN_INLINE Floats scale() const { return value; }
};

/// One scale and one minimum a block: weight = scale * code + minimum.
struct OneScaleAndMinimum : OneScale {
  Floats minimum;
  KERN_INLINE explicit OneScaleAndMinimum(const PanelSource& source) : OneScale(source), minimum(source.half(1)) {}
  template <int> KERN_INLINE Words min_pair() const { return every_lane(1u); }
  KERN_INLINE Floats min_scale() const { return -minimum; }
};

template <> struct PanelCodec<Q8_0> {
  static constexpr int words = 8, halves = 1, bytes = 0, bias = 128, max_code = 255;
  using Header = OneScale;
  KERN_INLINE static void split(const Q8_0::Block& block, const PanelTarget& to) {
    for (int i = 0; i < 8; ++i) to.word(i, load_vector<std::uint32_t>(block.codes + 4 * i) ^ 0x80808080u);
    to.half(0, block.d.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<8>([&](auto w) __attribute__((always_inline)) { f(w, source.word(w)); });
  }
};

/// Formats of 16 bytes of nibbles and a 16-bit scale: Q4_0, Q4_1, IQ4_NL.
struct NibbleBlock {
  static constexpr int words = 4, halves = 1, bytes = 0;
  using Header = OneScale;
  template <class Block> KERN_INLINE static void split(const Block& block, const PanelTarget& to) {
    to.copy_words(0, 4, block.codes);
    to.half(0, block.d.bits);
    if constexpr (requires { block.m; }) to.half(1, block.m.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<4>([&](auto w) __attribute__((always_inline)) { nibbles(source.word(w), w, w + 4, f); });
  }
};

template <> struct PanelCodec<Q4_0> : NibbleBlock { static constexpr int bias = 8, max_code = 15; };

template <> struct PanelCodec<Q4_1> : NibbleBlock {
  static constexpr int halves = 2, bias = 0, max_code = 15;
  using Header = OneScaleAndMinimum;
};

/// The sixteen values of IQ4_NL and IQ4_XS plus 128.
constexpr std::uint8_t uneven_codes_plus_128[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                    129, 141, 153, 166, 181, 197, 217, 241};

template <> struct PanelCodec<IQ4_NL> : NibbleBlock {
  static constexpr int bias = 128, max_code = 255;
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    NibbleBlock::codes(
        source, [&](int k, Words indices)
                    __attribute__((always_inline)) { f(k, look_up(uneven_codes_plus_128, indices)); });
  }
};

struct FiveBitBlock {
  static constexpr int words = 5, halves = 1, bytes = 0, code_words = 5;
  using Header = OneScale;
  template <class Block> KERN_INLINE static void split(const Block& block, const PanelTarget& to) {
    to.copy_words(0, 4, block.codes);
    to.copy_words(4, 1, block.high);
    to.half(0, block.d.bits);
    if constexpr (requires { block.m; }) to.half(1, block.m.bits);
  }
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    const Words high = source.word(4);
    unroll<4>([&](auto w) __attribute__((always_inline)) {
      const Words word = source.word(w);
      f(w, (word & 0x0F0F0F0Fu) | fifth_bits_in_a_row<w>(high));
      f(w + 4, ((word >> 4) & 0x0F0F0F0Fu) | fifth_bits_in_a_row<w + 4>(high));
    });
  }
  KERN_INLINE static void pack(const Words* codes, Words* to) { pack_five_bits(codes, to); }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    five_bit_codes(source, 0, 0, f);
  }
};

template <> struct PanelCodec<Q5_0> : FiveBitBlock { static constexpr int bias = 16, max_code = 31; };

template <> struct PanelCodec<Q5_1> : FiveBitBlock {
  static constexpr int halves = 2, bias = 0, max_code = 31;
  using Header = OneScaleAndMinimum;
};

/// The sixteen doubled e2m1 values plus 12.
constexpr std::uint8_t doubled_e2m1_plus_12[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

template <> struct PanelCodec<MXFP4> {
  static constexpr int words = 4, halves = 0, bytes = 1, bias = 12, max_code = 31;
  struct Header {
    Floats value;
    KERN_INLINE explicit Header(const PanelSource& source) {
      // 2^(exponent - 128); the two smallest are subnormal.
      const Words e = source.byte(0);
      const Words tiny = reinterpret_cast<Words>(e < 2u);
      value = bits_to_floats((tiny & (0x00200000u + e * 0x00200000u)) | (~tiny & ((e - 1u) << 23)));
    }
    template <int> KERN_INLINE Floats scale() const { return value; }
  };
  KERN_INLINE static void split(const MXFP4::Block& block, const PanelTarget& to) {
    to.copy_words(0, 4, block.codes);
    to.bytes[0] = block.exponent;
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    NibbleBlock::codes(
        source, [&](int k, Words indices)
                    __attribute__((always_inline)) { f(k, look_up(doubled_e2m1_plus_12, indices)); });
  }
};

template <> struct PanelCodec<NVFP4> {
  static constexpr int words = 9, halves = 0, bytes = 0, bias = 12, max_code = 31;
  struct Header {
    Words scales;
    KERN_INLINE explicit Header(const PanelSource& source) : scales(source.word(8)) {}
    template <int g> KERN_INLINE Floats scale() const {
      // Exponent and fraction as a float's are 2^119 too small, subnormals included; 0x7F stands for 0.
      const Words byte = (scales >> (8 * g)) & 255u;
      const Words special = reinterpret_cast<Words>(byte == 127u);
      return bits_to_floats(((byte & 127u) << 20) & ~special) * 0x1p119f;
    }
  };
  KERN_INLINE static void split(const NVFP4::Block& block, const PanelTarget& to) {
    to.copy_words(0, 8, block.codes);
    to.copy_words(8, 1, block.scales);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<8>([&](auto w) __attribute__((always_inline)) {
      constexpr int first = w / 2 * 4 + w % 2;
      nibbles(
          source.word(w), first, first + 2, [&](int k, Words indices) __attribute__((always_inline)) {
            f(k, look_up(doubled_e2m1_plus_12, indices));
          });
    });
  }
};

/// Byte g % 4 of four scales a word, signed.
template <int g> KERN_INLINE Ints signed_byte(Words word) { return as_ints(word << (24 - 8 * (g % 4))) >> 24; }
template <int g> KERN_INLINE Words unsigned_byte(Words word) { return (word >> (8 * (g % 4))) & 255u; }

/// Bytes 2 * (p % 2) and the next of a word as 16-bit halves.
template <int p> KERN_INLINE Words byte_pair(Words word) {
  const Words two = p % 2 == 0 ? word : word >> 16;
  return (two & 255u) | ((two << 8) & 0x00FF0000u);
}

/// Scales and minimums of Q4_K and Q5_K.
template <int first_word> struct KHeader {
  Words scale_bytes[2];
  Words min_bytes[2];
  Floats d;
  Floats dmin;
  KERN_INLINE explicit KHeader(const PanelSource& source) : d(source.half(0)), dmin(source.half(1)) {
    const Words a = source.word(first_word), b = source.word(first_word + 1), c = source.word(first_word + 2);
    scale_bytes[0] = a & 0x3F3F3F3Fu;
    min_bytes[0] = b & 0x3F3F3F3Fu;
    scale_bytes[1] = (c & 0x0F0F0F0Fu) | ((a >> 2) & 0x30303030u);
    min_bytes[1] = ((c >> 4) & 0x0F0F0F0Fu) | ((b >> 2) & 0x30303030u);
  }
  template <int g> KERN_INLINE Ints whole_scale() const { return as_ints(unsigned_byte<g>(scale_bytes[g / 4])); }
  template <int p> KERN_INLINE Words min_pair() const { return byte_pair<p>(min_bytes[p / 2]); }
  KERN_INLINE Floats min_scale() const { return dmin; }
};

template <> struct PanelCodec<Q4_K> {
  static constexpr int words = 35, halves = 2, bytes = 0, bias = 0, max_code = 15;
  using Header = KHeader<32>;
  KERN_INLINE static void split(const Q4_K::Block& block, const PanelTarget& to) {
    to.copy_words(0, 32, block.codes);
    to.copy_words(32, 3, block.scales.packed);
    to.half(0, block.d.bits);
    to.half(1, block.dmin.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<32>([&](auto w) __attribute__((always_inline)) {
      constexpr int low = w / 8 * 16 + w % 8;
      nibbles(source.word(w), low, low + 8, f);
    });
  }
};

template <> struct PanelCodec<Q5_K> {
  static constexpr int words = 43, halves = 2, bytes = 0, bias = 0, max_code = 31, code_words = 40;
  using Header = KHeader<40>;
  KERN_INLINE static void split(const Q5_K::Block& block, const PanelTarget& to) {
    to.copy_words(0, 32, block.codes);
    to.copy_words(32, 8, block.high);
    to.copy_words(40, 3, block.scales.packed);
    to.half(0, block.d.bits);
    to.half(1, block.dmin.bits);
  }
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    unroll<32>([&](auto w) __attribute__((always_inline)) {
      constexpr int pair = w / 8;
      constexpr int low = pair * 16 + w % 8;
      const Words word = source.word(w);
      const Words high = source.word(32 + w % 8);
      f(low, (word & 0x0F0F0F0Fu) | fifth_bits<2 * pair>(high));
      f(low + 8, ((word >> 4) & 0x0F0F0F0Fu) | fifth_bits<2 * pair + 1>(high));
    });
  }
  KERN_INLINE static void pack(const Words* codes, Words* to) {
    for (int g = 0; g < 8; ++g) pack_five_bits(codes + g * 8, to + g * 5);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<8>([&](auto g) __attribute__((always_inline)) { five_bit_codes(source, g * 5, g * 8, f); });
  }
};

template <> struct PanelCodec<Q6_K> {
  static constexpr int words = 52, halves = 1, bytes = 0, bias = 32, max_code = 63, code_words = 48;
  struct Header {
    Words scales[4];
    Floats d;
    KERN_INLINE explicit Header(const PanelSource& source) : d(source.half(0)) {
      unroll<4>([&](auto i) __attribute__((always_inline)) { scales[i] = source.word(48 + i); });
    }
    template <int g> KERN_INLINE Ints whole_scale() const { return signed_byte<g>(scales[g / 4]); }
  };
  KERN_INLINE static void split(const Q6_K::Block& block, const PanelTarget& to) {
    to.copy_words(0, 32, block.low);
    to.copy_words(32, 16, block.high);
    to.copy_words(48, 4, reinterpret_cast<const std::uint8_t*>(block.scales));
    to.half(0, block.d.bits);
  }
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    unroll<16>([&](auto i) __attribute__((always_inline)) {
      constexpr int run = i / 8;
      constexpr int w = i % 8;
      const Words first = source.word(run * 16 + w);
      const Words second = source.word(run * 16 + 8 + w);
      const Words high = source.word(32 + run * 8 + w);
      f(run * 32 + w, (first & 0x0F0F0F0Fu) | ((high << 4) & 0x30303030u));
      f(run * 32 + 8 + w, (second & 0x0F0F0F0Fu) | ((high << 2) & 0x30303030u));
      f(run * 32 + 16 + w, ((first >> 4) & 0x0F0F0F0Fu) | (high & 0x30303030u));
      f(run * 32 + 24 + w, ((second >> 4) & 0x0F0F0F0Fu) | ((high >> 2) & 0x30303030u));
    });
  }
  KERN_INLINE static void pack(const Words* codes, Words* to) {
    for (int g = 0; g < 16; ++g) pack_six_bits(codes + g * 4, to + g * 3);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<16>([&](auto g) __attribute__((always_inline)) { six_bit_codes(source, g * 3, g * 4, f); });
  }
};

template <> struct PanelCodec<Q2_K> {
  static constexpr int words = 20, halves = 2, bytes = 0, bias = 0, max_code = 3;
  struct Header {
    Words scales[4];
    Floats d;
    Floats dmin;
    KERN_INLINE explicit Header(const PanelSource& source) : d(source.half(0)), dmin(source.half(1)) {
      unroll<4>([&](auto i) __attribute__((always_inline)) { scales[i] = source.word(16 + i); });
    }
    template <int g> KERN_INLINE Ints whole_scale() const { return as_ints((scales[g / 4] >> (8 * (g % 4))) & 15u); }
    template <int p> KERN_INLINE Words min_pair() const { return byte_pair<p>((scales[p / 2] >> 4) & 0x0F0F0F0Fu); }
    KERN_INLINE Floats min_scale() const { return dmin; }
  };
  KERN_INLINE static void split(const Q2_K::Block& block, const PanelTarget& to) {
    to.copy_words(0, 16, block.codes);
    to.copy_words(16, 4, block.scales);
    to.half(0, block.d.bits);
    to.half(1, block.dmin.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) { two_bit_codes<0>(source, f); }
};

template <> struct PanelCodec<Q3_K> {
  static constexpr int words = 27, halves = 1, bytes = 0, bias = 4, max_code = 7, code_words = 24;
  struct Header {
    Words scales[3];
    Floats d;
    KERN_INLINE explicit Header(const PanelSource& source) : d(source.half(0)) {
      unroll<3>([&](auto i) __attribute__((always_inline)) { scales[i] = source.word(24 + i); });
    }
    template <int g> KERN_INLINE Ints whole_scale() const {
      const Words low = (scales[g % 8 / 4] >> (8 * (g % 4) + 4 * (g / 8))) & 15u;
      const Words high = (scales[2] >> (8 * (g % 4) + 2 * (g / 4))) & 3u;
      return as_ints(low | (high << 4)) - 32;
    }
  };
  KERN_INLINE static void split(const Q3_K::Block& block, const PanelTarget& to) {
    to.copy_words(0, 8, block.high);
    to.copy_words(8, 16, block.codes);
    to.copy_words(24, 3, block.scales);
    to.half(0, block.d.bits);
  }
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    unroll<16>([&](auto i) __attribute__((always_inline)) {
      constexpr int run = i / 8;
      const Words word = source.word(8 + i);
      const Words high = source.word(i % 8);
      unroll<4>([&](auto part) __attribute__((always_inline)) {
        const Words third = (high >> (run * 4 + part) & 0x01010101u) << 2;
        f(run * 32 + i % 8 + 8 * part, ((word >> (2 * part)) & 0x03030303u) | third);
      });
    });
  }
  KERN_INLINE static void pack(const Words* codes, Words* to) {
    for (int g = 0; g < 8; ++g) pack_three_bits(codes + g * 8, to + g * 3);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<8>([&](auto g) __attribute__((always_inline)) { three_bit_codes(source, g * 3, g * 8, f); });
  }
};

template <> struct PanelCodec<IQ4_XS> {
  static constexpr int words = 33, halves = 2, bytes = 0, bias = 128, max_code = 255;
  struct Header {
    Words low;
    Words high;
    Floats d;
    KERN_INLINE explicit Header(const PanelSource& source)
        : low(source.word(32)), high(source.short_word(1)), d(source.half(0)) {}
    template <int g> KERN_INLINE Ints whole_scale() const {
      const Words value = ((low >> (4 * g)) & 15u) | (((high >> (2 * g)) & 3u) << 4);
      return as_ints(value) - 32;
    }
  };
  KERN_INLINE static void split(const IQ4_XS::Block& block, const PanelTarget& to) {
    to.copy_words(0, 32, block.codes);
    to.copy_words(32, 1, block.low_scales);
    to.half(0, block.d.bits);
    to.half(1, load_vector<std::uint16_t>(block.high_scales));
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    grouped_nibbles(
        source, [&](int k, Words indices)
                    __attribute__((always_inline)) { f(k, look_up(uneven_codes_plus_128, indices)); });
  }
};

/// Blocks of 256 codes of two bits and a scale: TQ2_0, and TQ1_0 with its digits spelt out.
struct TernaryBlock {
  static constexpr int words = 16, halves = 1, bytes = 0, bias = 1, max_code = 3;
  using Header = OneScale;
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) { two_bit_codes<0>(source, f); }
};

template <> struct PanelCodec<TQ1_0> : TernaryBlock {
  KERN_INLINE static void split(const TQ1_0::Block& block, const PanelTarget& to) {
    std::int8_t digits[256];
    std::uint8_t codes[256];
    TQ1_0::unpack_codes(block, digits);
    for (int i = 0; i < 256; ++i) codes[i] = static_cast<std::uint8_t>(digits[i] + 1);
    pack_two_bits(codes, 0, to);
    to.half(0, block.d.bits);
  }
};

template <> struct PanelCodec<TQ2_0> : TernaryBlock {
  KERN_INLINE static void split(const TQ2_0::Block& block, const PanelTarget& to) {
    to.copy_words(0, 16, block.codes);
    to.half(0, block.d.bits);
  }
};

template <> struct PanelCodec<Q1_0> {
  static constexpr int words = 4, halves = 1, bytes = 0, bias = 1, max_code = 2;
  using Header = OneScale;
  /// Bit k % 8 of byte c of word k / 8: weight 4 * k + c.
  KERN_INLINE static void split(const Q1_0::Block& block, const PanelTarget& to) {
    for (int w = 0; w < 4; ++w) {
      std::uint32_t word = 0;
      for (std::uint32_t k = 0; k < 8; ++k) {
        const std::uint32_t four = block.codes[w * 4 + static_cast<int>(k / 2)] >> (k % 2 * 4) & 15u;
        word |= ((four | four << 7 | four << 14 | four << 21) & 0x01010101u) << k;
      }
      to.word(w, word);
    }
    to.half(0, block.d.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<4>([&](auto w) __attribute__((always_inline)) {
      const Words word = source.word(w);
      unroll<8>([&](auto bit) __attribute__((always_inline)) {
        f(w * 8 + bit, (bit == 0 ? word << 1 : word >> (bit > 0 ? bit - 1 : 0)) & 0x02020202u);
      });
    });
  }
};

template <> struct PanelCodec<Q2_0> {
  static constexpr int words = 4, halves = 1, bytes = 0, bias = 1, max_code = 3;
  using Header = OneScale;
  /// Bits 2 * p and the next of byte c of word w: weight 4 * k + c for k = p / 2 * 8 + w * 2 + p % 2.
  KERN_INLINE static void split(const Q2_0::Block& block, const PanelTarget& to) {
    for (int w = 0; w < 4; ++w) {
      std::uint32_t word = 0;
      for (int p = 0; p < 4; ++p) {
        const std::uint32_t four = block.codes[p / 2 * 8 + w * 2 + p % 2];
        word |= ((four | four << 6 | four << 12 | four << 18) & 0x03030303u) << (2 * p);
      }
      to.word(w, word);
    }
    to.half(0, block.d.bits);
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<4>([&](auto w) __attribute__((always_inline)) {
      const Words word = source.word(w);
      unroll<4>([&](auto part) __attribute__((always_inline)) {
        f(part / 2 * 8 + w * 2 + part % 2, (word >> (2 * part)) & 0x03030303u);
      });
    });
  }
};
