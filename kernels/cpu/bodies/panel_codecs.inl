// How blocks of 16 rows interleave into a panel and how the panel's lanes become codes and scales again.
//
// A block of one row is cut into 32-bit words, 16-bit halves and bytes. A panel holds groups of a few blocks: the
// halves of the group, [block][half][16 rows], its bytes, [block][byte][16], its words, [block][word][16]. So many
// blocks a group that words begin on a cache line; a panel is read from front to back. Since lane = row, unpacking is
// shifts and masks within a lane, and the dot product of four codes with four activations needs no sum across lanes.
// A panel is exactly as large as its rows in the file, but for formats whose codes aren't bits beside each other: those
// of TQ1_0 and of the grid formats (grid_panel_codecs.inl) are spelt out and take more.
//
// A codec says: the counts; `bias`, added to make codes unsigned; `max_code`, the largest after that;
// codes(source, f), calling f(k / 4, lanes of four codes) once for each k / 4, of any eight, four or two within a group
// the first before and the last after the others; Header, whose scale<g>() are the weight scales of group g, or where
// they are whole numbers whole_scale<g>(), and d the block's. With minimums: min_pair<p>() are those of groups 2p and
// 2p + 1 as 16-bit halves of a lane, min_scale() their scale.
//
// Where they come from is said in one of two ways. Either `file_words`, `file_halves` and `file_bytes`: at which bytes
// of the file's block they are; and where the first `code_words` words of the panel are others than those,
// file_codes(source, f), which is codes() for the words as the file has them, and pack(), from all codes the panel's
// words, where those aren't the codes themselves. Or split(), see grid_panel_codecs.inl.

template <class Traits> struct PanelCodec;

/// Bytes of an interleaved block of one row.
template <class Codec> constexpr int panel_block_bytes = 4 * Codec::words + 2 * Codec::halves + Codec::bytes;

/// A panel whose words are as the file has them.
template <class Codec> struct InFileOrder : Codec {
  static constexpr int words = [] {
    int count = 0;
    for (const FileWords& run : Codec::file_words) count += run.count;
    return count;
  }();
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) { Codec::file_codes(source, f); }
};
template <class Codec> constexpr bool rearranges = requires { Codec::code_words; };
/// How rows lie in a panel that is made for one product and forgotten: with the least work.
template <class Traits>
using PassingCodec =
    std::conditional_t<rearranges<PanelCodec<Traits>>, InFileOrder<PanelCodec<Traits>>, PanelCodec<Traits>>;

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
  static constexpr int words = 8, halves = 1, bytes = 0, bias = 128, max_code = 255, code_words = 8;
  static constexpr FileWords file_words[] = {{offsetof(Q8_0::Block, codes), 8}};
  static constexpr int file_halves[] = {offsetof(Q8_0::Block, d)};
  using Header = OneScale;
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    unroll<8>([&](auto w) __attribute__((always_inline)) { f(w, source.word(w) ^ 0x80808080u); });
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<8>([&](auto w) __attribute__((always_inline)) { f(w, source.word(w)); });
  }
};

/// 16 bytes of nibbles.
struct Nibbles {
  static constexpr int words = 4, bytes = 0;
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<4>([&](auto w) __attribute__((always_inline)) { nibbles(source.word(w), w, w + 4, f); });
  }
};

/// Nibbles and a 16-bit scale.
template <class Traits> struct NibbleBlock : Nibbles {
  static constexpr int halves = 1;
  static constexpr FileWords file_words[] = {{offsetof(typename Traits::Block, codes), 4}};
  static constexpr int file_halves[] = {offsetof(typename Traits::Block, d)};
  using Header = OneScale;
};

template <> struct PanelCodec<Q4_0> : NibbleBlock<Q4_0> { static constexpr int bias = 8, max_code = 15; };

template <> struct PanelCodec<Q4_1> : NibbleBlock<Q4_1> {
  static constexpr int halves = 2, bias = 0, max_code = 15;
  static constexpr int file_halves[] = {offsetof(Q4_1::Block, d), offsetof(Q4_1::Block, m)};
  using Header = OneScaleAndMinimum;
};

/// The sixteen values of IQ4_NL and IQ4_XS plus 128.
constexpr std::uint8_t uneven_codes_plus_128[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                    129, 141, 153, 166, 181, 197, 217, 241};

template <> struct PanelCodec<IQ4_NL> : NibbleBlock<IQ4_NL> {
  static constexpr int bias = 128, max_code = 255;
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    Nibbles::codes(
        source, [&](int k, Words indices)
                    __attribute__((always_inline)) { f(k, look_up(uneven_codes_plus_128, indices)); });
  }
};

template <class Traits> struct FiveBitBlock {
  using Block = typename Traits::Block;
  static constexpr int words = 5, halves = 1, bytes = 0, code_words = 5;
  static constexpr FileWords file_words[] = {{offsetof(Block, codes), 4}, {offsetof(Block, high), 1}};
  static constexpr int file_halves[] = {offsetof(Block, d)};
  using Header = OneScale;
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    const Words high = source.word(4);
    unroll<4>([&](auto w) __attribute__((always_inline)) {
      const Words word = source.word(w);
      f(w, (word & 0x0F0F0F0Fu) | spread_bits<w, 16>(high));
      f(w + 4, ((word >> 4) & 0x0F0F0F0Fu) | spread_bits<w + 4, 16>(high));
    });
  }
  KERN_INLINE static void pack(const Words* codes, Words* to) { pack_five_bits(codes, to); }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    five_bit_codes(source, 0, 0, f);
  }
};

template <> struct PanelCodec<Q5_0> : FiveBitBlock<Q5_0> { static constexpr int bias = 16, max_code = 31; };

template <> struct PanelCodec<Q5_1> : FiveBitBlock<Q5_1> {
  static constexpr int halves = 2, bias = 0, max_code = 31;
  static constexpr int file_halves[] = {offsetof(Q5_1::Block, d), offsetof(Q5_1::Block, m)};
  using Header = OneScaleAndMinimum;
};

/// The sixteen doubled e2m1 values plus 12.
constexpr std::uint8_t doubled_e2m1_plus_12[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

template <> struct PanelCodec<MXFP4> : Nibbles {
  static constexpr int halves = 0, bytes = 1, bias = 12, max_code = 31;
  static constexpr FileWords file_words[] = {{offsetof(MXFP4::Block, codes), 4}};
  static constexpr int file_bytes[] = {offsetof(MXFP4::Block, exponent)};
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
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    Nibbles::codes(
        source, [&](int k, Words indices)
                    __attribute__((always_inline)) { f(k, look_up(doubled_e2m1_plus_12, indices)); });
  }
};

template <> struct PanelCodec<NVFP4> {
  static constexpr int words = 9, halves = 0, bytes = 0, bias = 12, max_code = 31;
  static constexpr FileWords file_words[] = {{offsetof(NVFP4::Block, codes), 8}, {offsetof(NVFP4::Block, scales), 1}};
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
  static constexpr FileWords file_words[] = {{offsetof(Q4_K::Block, codes), 32}, {offsetof(Q4_K::Block, scales), 3}};
  static constexpr int file_halves[] = {offsetof(Q4_K::Block, d), offsetof(Q4_K::Block, dmin)};
  using Header = KHeader<32>;
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<32>([&](auto w) __attribute__((always_inline)) {
      constexpr int low = w / 8 * 16 + w % 8;
      nibbles(source.word(w), low, low + 8, f);
    });
  }
};

template <> struct PanelCodec<Q5_K> {
  static constexpr int words = 43, halves = 2, bytes = 0, bias = 0, max_code = 31, code_words = 40;
  static constexpr FileWords file_words[] = {
      {offsetof(Q5_K::Block, codes), 32}, {offsetof(Q5_K::Block, high), 8}, {offsetof(Q5_K::Block, scales), 3}};
  static constexpr int file_halves[] = {offsetof(Q5_K::Block, d), offsetof(Q5_K::Block, dmin)};
  using Header = KHeader<40>;
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
    unroll<8>([&](auto g) __attribute__((always_inline)) { pack_five_bits(codes + g * 8, to + g * 5); });
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<8>([&](auto g) __attribute__((always_inline)) { five_bit_codes(source, g * 5, g * 8, f); });
  }
};

template <> struct PanelCodec<Q6_K> {
  static constexpr int words = 52, halves = 1, bytes = 0, bias = 32, max_code = 63, code_words = 48;
  static constexpr FileWords file_words[] = {
      {offsetof(Q6_K::Block, low), 32}, {offsetof(Q6_K::Block, high), 16}, {offsetof(Q6_K::Block, scales), 4}};
  static constexpr int file_halves[] = {offsetof(Q6_K::Block, d)};
  struct Header {
    Words scales[4];
    Floats d;
    KERN_INLINE explicit Header(const PanelSource& source) : d(source.half(0)) {
      unroll<4>([&](auto i) __attribute__((always_inline)) { scales[i] = source.word(48 + i); });
    }
    template <int g> KERN_INLINE Ints whole_scale() const { return signed_byte<g>(scales[g / 4]); }
  };
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
    unroll<16>([&](auto g) __attribute__((always_inline)) { pack_six_bits(codes + g * 4, to + g * 3); });
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<16>([&](auto g) __attribute__((always_inline)) { six_bit_codes(source, g * 3, g * 4, f); });
  }
};

template <> struct PanelCodec<Q2_K> {
  static constexpr int words = 20, halves = 2, bytes = 0, bias = 0, max_code = 3;
  static constexpr FileWords file_words[] = {{offsetof(Q2_K::Block, codes), 16}, {offsetof(Q2_K::Block, scales), 4}};
  static constexpr int file_halves[] = {offsetof(Q2_K::Block, d), offsetof(Q2_K::Block, dmin)};
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
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) { two_bit_codes<0>(source, f); }
};

template <> struct PanelCodec<Q3_K> {
  static constexpr int words = 27, halves = 1, bytes = 0, bias = 4, max_code = 7, code_words = 24;
  static constexpr FileWords file_words[] = {
      {offsetof(Q3_K::Block, high), 8}, {offsetof(Q3_K::Block, codes), 16}, {offsetof(Q3_K::Block, scales), 3}};
  static constexpr int file_halves[] = {offsetof(Q3_K::Block, d)};
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
    unroll<8>([&](auto g) __attribute__((always_inline)) { pack_three_bits(codes + g * 8, to + g * 3); });
  }
  template <class F> KERN_INLINE static void codes(const PanelSource& source, F&& f) {
    unroll<8>([&](auto g) __attribute__((always_inline)) { three_bit_codes(source, g * 3, g * 8, f); });
  }
};

template <> struct PanelCodec<IQ4_XS> {
  static constexpr int words = 33, halves = 2, bytes = 0, bias = 128, max_code = 255;
  static constexpr FileWords file_words[] = {{offsetof(IQ4_XS::Block, codes), 32},
                                             {offsetof(IQ4_XS::Block, low_scales), 1}};
  static constexpr int file_halves[] = {offsetof(IQ4_XS::Block, d), offsetof(IQ4_XS::Block, high_scales)};
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
  static constexpr int code_words = 16;
  static constexpr FileWords file_words[] = {{offsetof(TQ1_0::Block, codes), 12}, {offsetof(TQ1_0::Block, rest), 1}};
  static constexpr int file_halves[] = {offsetof(TQ1_0::Block, d)};
  /// Digit n of bytes of `count` words from `first` on is code 4 * (n * count + word) and on.
  template <int first, int count, int digits, class F>
  KERN_INLINE static void digits_of(const PanelSource& source, int k, F&& f) {
    Words even[count], odd[count]; // bytes, each a fraction of 256 whose base-3 digits follow the point
    unroll<count>([&](auto w) __attribute__((always_inline)) {
      even[w] = source.word(first + w) & 0x00FF00FFu;
      odd[w] = (source.word(first + w) >> 8) & 0x00FF00FFu;
    });
    unroll<digits>([&](auto n) __attribute__((always_inline)) {
      unroll<count>([&](auto w) __attribute__((always_inline)) {
        const Words low = even[w] * 3u, high = odd[w] * 3u;
        f(k + n * count + w, ((low >> 8) & 0x00FF00FFu) | (high & 0xFF00FF00u));
        even[w] = low & 0x00FF00FFu;
        odd[w] = high & 0x00FF00FFu;
      });
    });
  }
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    digits_of<0, 8, 5>(source, 0, f);
    digits_of<8, 4, 5>(source, 40, f);
    digits_of<12, 1, 4>(source, 60, f);
  }
  KERN_INLINE static void pack(const Words* codes, Words* to) { pack_two_bits(codes, to); }
};

template <> struct PanelCodec<TQ2_0> : TernaryBlock {
  static constexpr FileWords file_words[] = {{offsetof(TQ2_0::Block, codes), 16}};
  static constexpr int file_halves[] = {offsetof(TQ2_0::Block, d)};
};

template <> struct PanelCodec<Q1_0> {
  static constexpr int words = 4, halves = 1, bytes = 0, bias = 1, max_code = 2, code_words = 4;
  static constexpr FileWords file_words[] = {{offsetof(Q1_0::Block, codes), 4}};
  static constexpr int file_halves[] = {offsetof(Q1_0::Block, d)};
  using Header = OneScale;
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    unroll<4>([&](auto w) __attribute__((always_inline)) {
      const Words word = source.word(w);
      unroll<8>([&](auto i) __attribute__((always_inline)) { f(w * 8 + i, spread_bits<i, 2>(word)); });
    });
  }
  /// Bit k % 8 of byte c of word k / 8: weight 4 * k + c.
  KERN_INLINE static void pack(const Words* codes, Words* to) {
    unroll<4>([&](auto w) __attribute__((always_inline)) {
      to[w] = Words{};
      unroll<8>([&](auto k) __attribute__((always_inline)) { to[w] |= (codes[w * 8 + k] >> 1) << int{k}; });
    });
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
  static constexpr int words = 4, halves = 1, bytes = 0, bias = 1, max_code = 3, code_words = 4;
  static constexpr FileWords file_words[] = {{offsetof(Q2_0::Block, codes), 4}};
  static constexpr int file_halves[] = {offsetof(Q2_0::Block, d)};
  using Header = OneScale;
  template <class F> KERN_INLINE static void file_codes(const PanelSource& source, F&& f) {
    unroll<4>([&](auto w) __attribute__((always_inline)) {
      unroll<4>([&](auto i) __attribute__((always_inline)) {
        const Words four = unsigned_byte<i>(source.word(w));
        f(w * 4 + i, (four | four << 6 | four << 12 | four << 18) & 0x03030303u);
      });
    });
  }
  /// Bits 2 * p and the next of byte c of word w: weight 4 * k + c for k = p / 2 * 8 + w * 2 + p % 2.
  KERN_INLINE static void pack(const Words* codes, Words* to) {
    unroll<4>([&](auto w) __attribute__((always_inline)) {
      const Words* code = codes + w * 2;
      to[w] = code[0] | code[1] << 2 | code[8] << 4 | code[9] << 6;
    });
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
