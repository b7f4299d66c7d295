// Where a panel's blocks are read from and written to, and how codes of two to six bits lie in its words.

/// Where one block of a panel, and one part of its lanes, is read from.
struct PanelSource {
  const std::byte* words;
  const std::uint16_t* halves;
  const std::uint8_t* bytes;

  KERN_INLINE Words word(int i) const { return load_vector<Words>(words + i * 4 * panel_rows); }
  KERN_INLINE Floats half(int i) const { return load_halves(halves + i * panel_rows); }
  KERN_INLINE Words short_word(int i) const { return load_shorts(halves + i * panel_rows); }
  KERN_INLINE Words byte(int i) const { return load_bytes_wide(bytes + i * panel_rows); }
};

/// Words of a panel's block that lie together in the file's block, from byte `offset` on.
struct FileWords {
  int offset;
  int count;
};

/// Low nibbles are the first half of a run of codes, high nibbles the second: f at `low` and at `high`.
template <class F> KERN_INLINE void nibbles(Words word, int low, int high, F&& f) {
  f(low, word & 0x0F0F0F0Fu);
  f(high, (word >> 4) & 0x0F0F0F0Fu);
}

/// The nibbles of eight groups of 32, four words a group: low nibbles are its first 16 codes.
template <class F> KERN_INLINE void grouped_nibbles(const PanelSource& source, F&& f) {
  unroll<32>([&](auto w) __attribute__((always_inline)) {
    constexpr int low = w / 4 * 8 + w % 4;
    nibbles(source.word(w), low, low + 4, f);
  });
}

KERN_INLINE void pack_grouped_nibbles(const Words* codes, Words* words) {
  unroll<32>([&](auto w) __attribute__((always_inline)) {
    constexpr int low = w / 4 * 8 + w % 4;
    words[w] = codes[low] | codes[low + 4] << 4;
  });
}

// Codes of three, five and six bits: whole ones in the low bits of as many words as there are, and the others' bits
// above them. That takes fewer operations than words of nibbles and the bits above apart, as in the file. Zen 4, one
// core, G multiply-adds/s that way and this: Q3_K 58 and 74, Q5_K 68 and 81, Q6_K 66 and 74. They are packed a group at
// a time, from four codes a word.

/// Codes of three bits of a group of 32, in three words: each has two and two bits of a third, whose highest bits are
/// in the last.
template <class F> KERN_INLINE void three_bit_codes(const PanelSource& source, int first_word, int k, F&& f) {
  const Words a = source.word(first_word), b = source.word(first_word + 1), c = source.word(first_word + 2);
  f(k, a & 0x07070707u);
  f(k + 1, (a >> 3) & 0x07070707u);
  f(k + 2, ((a >> 6) & 0x03030303u) | ((c >> 4) & 0x04040404u));
  f(k + 3, b & 0x07070707u);
  f(k + 4, (b >> 3) & 0x07070707u);
  f(k + 5, ((b >> 6) & 0x03030303u) | ((c >> 5) & 0x04040404u));
  f(k + 6, c & 0x07070707u);
  f(k + 7, (c >> 3) & 0x07070707u);
}
KERN_INLINE void pack_three_bits(const Words* codes, Words* words) {
  words[0] = codes[0] | codes[1] << 3 | (codes[2] & 0x03030303u) << 6;
  words[1] = codes[3] | codes[4] << 3 | (codes[5] & 0x03030303u) << 6;
  words[2] = codes[6] | codes[7] << 3 | (codes[2] & 0x04040404u) << 4 | (codes[5] & 0x04040404u) << 5;
}

/// Codes of five bits of a group of 32, in five words.
template <class F> KERN_INLINE void five_bit_codes(const PanelSource& source, int first_word, int k, F&& f) {
  const Words a = source.word(first_word), b = source.word(first_word + 1), c = source.word(first_word + 2);
  const Words d = source.word(first_word + 3), e = source.word(first_word + 4);
  f(k, a & 0x1F1F1F1Fu);
  f(k + 1, b & 0x1F1F1F1Fu);
  f(k + 2, c & 0x1F1F1F1Fu);
  f(k + 3, d & 0x1F1F1F1Fu);
  f(k + 4, e & 0x1F1F1F1Fu);
  f(k + 5, ((a >> 5) & 0x07070707u) | ((b >> 2) & 0x18181818u));
  f(k + 6, ((c >> 5) & 0x07070707u) | ((d >> 2) & 0x18181818u));
  f(k + 7, ((e >> 5) & 0x07070707u) | ((b >> 4) & 0x08080808u) | ((d >> 3) & 0x10101010u));
}
KERN_INLINE void pack_five_bits(const Words* codes, Words* words) {
  words[0] = codes[0] | (codes[5] & 0x07070707u) << 5;
  words[1] = codes[1] | (codes[5] & 0x18181818u) << 2 | (codes[7] & 0x08080808u) << 4;
  words[2] = codes[2] | (codes[6] & 0x07070707u) << 5;
  words[3] = codes[3] | (codes[6] & 0x18181818u) << 2 | (codes[7] & 0x10101010u) << 3;
  words[4] = codes[4] | (codes[7] & 0x07070707u) << 5;
}

/// Codes of six bits of a group of 16, in three words.
template <class F> KERN_INLINE void six_bit_codes(const PanelSource& source, int first_word, int k, F&& f) {
  const Words a = source.word(first_word), b = source.word(first_word + 1), c = source.word(first_word + 2);
  f(k, a & 0x3F3F3F3Fu);
  f(k + 1, b & 0x3F3F3F3Fu);
  f(k + 2, c & 0x3F3F3F3Fu);
  f(k + 3, ((a >> 6) & 0x03030303u) | ((b >> 4) & 0x0C0C0C0Cu) | ((c >> 2) & 0x30303030u));
}
KERN_INLINE void pack_six_bits(const Words* codes, Words* words) {
  words[0] = codes[0] | (codes[3] & 0x03030303u) << 6;
  words[1] = codes[1] | (codes[3] & 0x0C0C0C0Cu) << 4;
  words[2] = codes[2] | (codes[3] & 0x30303030u) << 2;
}

/// Bits 8 * c + w for c = 0..3, moved to bit 4 of byte c: the fifth bits of word w.
template <int w> KERN_INLINE Words fifth_bits(Words high) {
  if constexpr (w <= 4) return (high << (4 - w)) & 0x10101010u;
  else return (high >> (w - 4)) & 0x10101010u;
}

/// In each of four bytes `value`, less than 256, where its bit of a word's from 4 * k on is set, else 0.
template <int k, int value> KERN_INLINE Words spread_bits(Words word) {
  static constexpr std::uint8_t of_bit[16] = {0, value, value, 0, value, 0, 0, 0, value};
  const Words four_times = repeat_byte<k / 2>(word);
  return look_up(of_bit, (k % 2 ? four_times >> 4 : four_times) & 0x08040201u);
}

/// Four codes of two bits a byte: byte b of run r has weights 128 * r + b, + 32, + 64 and + 96, lowest bits first.
template <int first_word, class F> KERN_INLINE void two_bit_codes(const PanelSource& source, F&& f) {
  unroll<16>([&](auto i) __attribute__((always_inline)) {
    constexpr int k = i / 8 * 32 + i % 8;
    const Words word = source.word(first_word + i);
    unroll<4>([&](auto part) __attribute__((always_inline)) { f(k + 8 * part, (word >> (2 * part)) & 0x03030303u); });
  });
}

/// The low two bits of codes.
KERN_INLINE void pack_two_bits(const Words* codes, Words* words) {
  unroll<16>([&](auto i) __attribute__((always_inline)) {
    const Words* code = codes + i / 8 * 32 + i % 8;
    words[i] = (code[0] & 0x03030303u) | (code[8] & 0x03030303u) << 2 | (code[16] & 0x03030303u) << 4 |
               (code[24] & 0x03030303u) << 6;
  });
}
