// Interleaving 16 weight rows into a panel: turning their words, four by four, and rearranging codes where the panel
// has them in another way than the file. One core of Zen 4, rows and panel in its second-level cache, G weights/s: Q4_0
// 62, Q4_K 66, Q8_0 29, Q6_K 33; through a copy of each row's words in memory, whose 16 words were turned together, it
// was 15, 50, 14 and 18.

/// Where a block of a panel is written.
struct PanelTarget {
  std::byte* words;
  std::byte* halves;
  std::byte* bytes;
};
template <class Codec> KERN_INLINE PanelTarget panel_target(std::byte* panel, int blocks, int block) {
  const PanelSource at = panel_source<Codec>(panel, blocks, block, 0);
  return {panel + (at.words - panel), panel + (reinterpret_cast<const std::byte*>(at.halves) - panel),
          panel + (reinterpret_cast<const std::byte*>(at.bytes) - panel)};
}

/// to [16] = a number of `size` bytes of each row
template <int size> KERN_INLINE void turn_one(const RowPointers& rows, int offset, std::byte* to) {
  unroll<panel_rows>([&](auto r) __attribute__((always_inline)) {
    __builtin_memcpy(to + r * size, rows.row<r>(offset), size);
  });
}

/// Bytes that will be turned next, brought into the second-level cache a few lines after every few words: loads between
/// bursts of as many lines as a block has would wait. Zen 4, mapped, tokens/s in bursts and this way: Q4_K 39 and 43,
/// Q6_K 27 and 31.
class TurnAhead {
public:
  KERN_INLINE explicit TurnAhead(const std::byte* from) : at_(from), end_(from) {} // null: nothing
  KERN_INLINE void lines(int count) {
    if (!at_) return;
    for (int i = 0; i < count; ++i, at_ += 64) prefetch_second_level(at_);
  }
  /// What is left of so many bytes.
  KERN_INLINE void finish(std::size_t bytes) {
    if (!at_) return;
    for (end_ += bytes; at_ < end_; at_ += 64) prefetch_second_level(at_);
  }

private:
  const std::byte* at_;
  const std::byte* end_;
};

/// to [count][16] = words of each row
template <int count> KERN_INLINE void turn_words(const RowPointers& rows, int offset, TurnAhead& ahead, std::byte* to) {
  constexpr int fours = count / 4 * 4;
  for (int w = 0; w < fours; w += 4) {
    turn_four(rows, offset + w * 4, to + w * 4 * panel_rows);
    ahead.lines(4); // as much as was turned
  }
  for (int w = fours; w < count; ++w) turn_one<4>(rows, offset + w * 4, to + w * 4 * panel_rows);
}

/// Halves, bytes and words of a block of each row, as the file has them.
template <class Codec> KERN_INLINE void turn_block(const RowPointers& blocks, TurnAhead& ahead, const PanelTarget& to) {
  std::byte* words = to.words;
  unroll<std::size(Codec::file_words)>([&](auto i) __attribute__((always_inline)) {
    constexpr FileWords run = Codec::file_words[i];
    turn_words<run.count>(blocks, run.offset, ahead, words);
    words += run.count * 4 * panel_rows;
  });
  if constexpr (Codec::halves > 0)
    unroll<Codec::halves>([&](auto i) __attribute__((always_inline)) {
      turn_one<2>(blocks, Codec::file_halves[i], to.halves + i * 2 * panel_rows);
    });
  if constexpr (Codec::bytes > 0)
    unroll<Codec::bytes>([&](auto i) __attribute__((always_inline)) {
      turn_one<1>(blocks, Codec::file_bytes[i], to.bytes + i * panel_rows);
    });
}

/// The panel's words from those of the file: 256 weights of 16 rows at a time cost less this way than one row's by
/// itself.
template <class Codec, int width> KERN_INLINE void rearrange_words(const std::byte* from, std::byte* to) {
  for (int lane = 0; lane < panel_rows; lane += lane_count) {
    const auto store = [&](int w, Words word) __attribute__((always_inline)) {
      store_vector(to + (w * panel_rows + lane) * 4, word);
    };
    const PanelSource source{from + lane * 4, nullptr, nullptr};
    if constexpr (requires { &Codec::pack; }) {
      Words codes[width / 4];
      Words packed[Codec::code_words];
      Codec::file_codes(
          source, [&](int k, Words four) __attribute__((always_inline)) { codes[k] = four; });
      Codec::pack(codes, packed);
      unroll<Codec::code_words>([&](auto w) __attribute__((always_inline)) { store(w, packed[w]); });
    } else {
      Codec::file_codes(source, store);
    }
  }
  constexpr int others = Codec::words - Codec::code_words; // which stay behind the codes
  __builtin_memcpy(to + Codec::code_words * panel_rows * 4,
                   from + (InFileOrder<Codec>::words - others) * panel_rows * 4, std::size_t{others} * panel_rows * 4);
}

/// The same of blocks that are spelt out.
template <class Traits>
KERN_INLINE void turn_spelt_block(const RowPointers& blocks, TurnAhead& ahead, const PanelTarget& to) {
  constexpr int count = InFileOrder<PanelCodec<Traits>>::words;
  std::uint32_t words[panel_rows][count];
  std::uint16_t halves[panel_rows];
  for (int r = 0; r < panel_rows; ++r) {
    const std::byte* block = blocks.first + static_cast<std::size_t>(r) * blocks.stride;
    halves[r] = PanelCodec<Traits>::split(*reinterpret_cast<const typename Traits::Block*>(block), words[r]);
    ahead.lines(sizeof(typename Traits::Block) / 64);
  }
  TurnAhead none(nullptr);
  turn_words<count>(RowPointers(reinterpret_cast<const std::byte*>(words), sizeof words[0]), 0, none, to.words);
  __builtin_memcpy(to.halves, halves, sizeof halves);
}

/// Interleaves a block of each row.
template <class Traits, class Codec>
KERN_INLINE void interleave_block(const RowPointers& blocks, TurnAhead& ahead, const PanelTarget& to) {
  constexpr bool packs = rearranges<Codec> && std::is_same_v<Codec, PanelCodec<Traits>>;
  alignas(64) std::byte words[packs ? InFileOrder<PanelCodec<Traits>>::words * panel_rows * 4 : 1];
  const PanelTarget turned{packs ? words : to.words, to.halves, to.bytes};
  if constexpr (requires { Codec::file_words; }) turn_block<Codec>(blocks, ahead, turned);
  else turn_spelt_block<Traits>(blocks, ahead, turned);
  if constexpr (packs) rearrange_words<Codec, Traits::width>(words, to.words);
}

/// Interleaves `blocks` blocks of up to 16 rows; missing rows become zeros. Reads as many bytes ahead from `next` on,
/// unless it is null.
template <class Traits, class Codec>
void interleave_blocks(const std::byte* rows, std::size_t row_bytes, int count, int blocks, const std::byte* next,
                       std::byte* panel) {
  using Block = typename Traits::Block;
  RowPointers pointers(rows, row_bytes);
  TurnAhead ahead(next);
  for (int b = 0; b < blocks; ++b, rows += sizeof(Block)) {
    const PanelTarget to = panel_target<Codec>(panel, blocks, b);
    if (count == panel_rows) {
      interleave_block<Traits, Codec>(pointers, ahead, to);
      pointers.advance(sizeof(Block));
    } else {
      Block filled[panel_rows] = {};
      for (int r = 0; r < count; ++r)
        __builtin_memcpy(&filled[r], rows + static_cast<std::size_t>(r) * row_bytes, sizeof(Block));
      interleave_block<Traits, Codec>(RowPointers(reinterpret_cast<const std::byte*>(filled), sizeof(Block)), ahead,
                                      to);
    }
    ahead.finish(sizeof(Block) * panel_rows);
  }
}
