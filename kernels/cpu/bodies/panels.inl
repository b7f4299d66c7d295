// Panels of 16 weight rows: how blocks lie in them, and unpacking a run of k into byte codes and float scales.

/// Blocks a group: as many as fill whole cache lines with their halves and bytes.
template <class Codec> constexpr int panel_group() {
  constexpr int small = panel_rows * (2 * Codec::halves + Codec::bytes);
  return small % 64 == 0 ? 1 : small % 32 == 0 ? 2 : 4;
}

/// Where a block of a panel of `blocks` blocks stands, from row `lane` on.
template <class Codec> KERN_INLINE PanelSource panel_source(const std::byte* panel, int blocks, int block, int lane) {
  constexpr int group = panel_group<Codec>();
  constexpr int block_bytes = panel_block_bytes<Codec> * panel_rows;
  const int first = block / group * group;
  const int count = blocks - first < group ? blocks - first : group;
  const std::byte* halves = panel + static_cast<std::ptrdiff_t>(first) * block_bytes;
  const std::byte* bytes = halves + count * Codec::halves * panel_rows * 2;
  const std::byte* words = bytes + count * Codec::bytes * panel_rows;
  const int at = block - first;
  return {words + (at * Codec::words * panel_rows + lane) * 4,
          reinterpret_cast<const std::uint16_t*>(halves) + at * Codec::halves * panel_rows + lane,
          reinterpret_cast<const std::uint8_t*>(bytes) + at * Codec::bytes * panel_rows + lane};
}

/// Reads ahead of a block where that is into the first level: by 1 KB; more is no better, and hints that bypass the
/// caches are much worse. Small blocks also read ahead by 3 KB into the second level: Q4_0 41.6 -> 43.4 tokens/s, Q8_0
/// 25.4 -> 26.3; with large ones that loses 5%. What would lie behind the panel's end lies `skip` bytes further on,
/// behind the panels that are read beside it: 24.6 -> 26.9 GB/s for 2048 columns of Q4_0. For a block that is longer
/// than what is read ahead that isn't worth working out: Q6_K 28 tokens/s without, 24 with.
/// Zen 4 sees by itself that a panel is read from front to back, and hints into its second level cost, by 2 KB, 4 or 6:
/// one thread without and with them by 6 KB Q4_0 41 and 34 tokens/s, Q4_K 43 and 34, Q6_K 26 and 20, Q8_0 20 and 16
/// (only Q8_0 by 2 KB gains, 7%); from the third-level cache Q8_0 92 and 70 GB/s.
template <class Traits>
KERN_INLINE void prefetch_block(const std::byte* panel, int block, int blocks, CacheLevel ahead, std::size_t skip) {
  if (ahead == CacheLevel::second) return;
  constexpr int block_bytes = panel_block_bytes<PanelCodec<Traits>> * panel_rows;
  constexpr int lines = (block_bytes + 63) / 64;
  const std::byte* at = panel + static_cast<std::ptrdiff_t>(block) * block_bytes;
  const std::byte* first = at + 1024;
  const std::byte* second = at + 3072;
  if constexpr (Traits::width < 256) {
    const std::byte* end = panel + static_cast<std::ptrdiff_t>(blocks) * block_bytes;
    if (first >= end) first += skip;
    if (second >= end) second += skip;
  }
  unroll<lines>([&](auto line) __attribute__((always_inline)) {
    prefetch(first + line * 64);
    if constexpr (Traits::width == 32) prefetch_second_level(second + line * 64);
  });
}

/// A run of k of up to two panels, unpacked side by side: row 16 * p + r is row r of panel p. Part of a thread's
/// scratch.
struct PanelChunk {
  std::uint8_t* codes;        // [k / run][32 rows][run], bias added; or signed; or the low plane; run: panel_run
  std::uint8_t* high_codes;   // the high plane
  float* scales;              // [k / group][32]; where those of groups are whole numbers [k / rounding block][32]
  std::int32_t* whole_scales; // [k / group][32]
  std::uint32_t* min_pairs;   // [k / rounding block][pairs][32]; beside planes [plane_minimums][32], twice as bfloat16
  float* min_scales;          // [k / rounding block][32]

  /// The same memory from row `lane` on.
  KERN_INLINE PanelChunk from(int lane) const {
    return {codes + panel_run * lane, high_codes + 4 * lane, scales + lane,
            whole_scales + lane,      min_pairs + lane,      min_scales + lane};
  }
};

KERN_INLINE PanelChunk carve_panel_chunk(std::byte* scratch) {
  PanelChunk chunk;
  chunk.codes = reinterpret_cast<std::uint8_t*>(scratch);
  chunk.high_codes = chunk.codes + chunk_columns * chunk_rows;
  chunk.scales = reinterpret_cast<float*>(chunk.high_codes + chunk_columns * chunk_rows);
  chunk.whole_scales = reinterpret_cast<std::int32_t*>(chunk.scales + chunk_columns / 16 * chunk_rows);
  chunk.min_pairs = reinterpret_cast<std::uint32_t*>(chunk.whole_scales + chunk_columns / 16 * chunk_rows);
  chunk.min_scales = reinterpret_cast<float*>(chunk.min_pairs + chunk_columns / 16 * chunk_rows);
  return chunk;
}

/// Four codes a lane as products of tiles want them.
template <class Traits> KERN_INLINE Words tile_codes(Words codes) {
  using Bytes = std::uint8_t __attribute__((vector_size(4 * lane_count)));
  if constexpr (!signed_panels || PanelCodec<Traits>::bias == 0) return codes;
  else
    return reinterpret_cast<Words>(reinterpret_cast<Bytes>(codes) - (Bytes{} + std::uint8_t{PanelCodec<Traits>::bias}));
}

/// Puts codes of a vector of rows into a panel, four a lane, in a codec's order: of any eight columns the first four
/// come first.
template <int columns> struct CodeWriter {
  std::uint8_t* to;
  Words first_halves[panel_run == 8 ? columns / 8 : 1];

  KERN_INLINE explicit CodeWriter(std::uint8_t* at) : to(at) {}
  KERN_INLINE void put(int k, Words four) { // columns 4 * k and on
    if constexpr (panel_run == 4) store_vector(to + k * chunk_rows * 4, four);
    else if (k % 2 == 0) first_halves[k / 2] = four;
    else store_runs_of_eight(to + k / 2 * chunk_rows * 8, first_halves[k / 2], four);
  }
};

/// The scale of a block of 256 columns.
template <class Traits, class Header> KERN_INLINE Floats block_scale(const Header& header) {
  constexpr int groups = rounding_groups<Traits>;
  if constexpr (groups > 1) return header.d;
  else return header.template scale<0>();
}

/// Two 16-bit numbers a lane.
using HalfWords = std::uint16_t __attribute__((vector_size(4 * lane_count)));
using HalfInts = std::int16_t __attribute__((vector_size(4 * lane_count)));

KERN_INLINE Words twice_a_lane(Words value) { return (value & 0xFFFFu) | value << 16; }

/// Four codes a lane times their group's scale, given twice a lane, as planes.
template <class Traits>
KERN_INLINE void store_planes(std::uint8_t* low, std::uint8_t* high, Words codes, Words scale_twice) {
  if constexpr (planes_of<Traits> == 1 && !Traits::has_min) { // the one scale is the block's
    store_vector(low, tile_codes<Traits>(codes));
  } else if constexpr (Traits::has_min) { // unsigned: no product reaches the next byte
    const auto scale = reinterpret_cast<HalfWords>(scale_twice);
    const auto bytes = reinterpret_cast<HalfWords>(codes);
    constexpr std::uint16_t mask = planes_of<Traits> == 1 ? 0xFFFF : (1 << plane_scale_bits) - 1;
    store_vector(low, bytes * (scale & mask));
    if constexpr (planes_of<Traits> == 2) store_vector(high, bytes * (scale >> plane_scale_bits));
  } else {
    constexpr std::int16_t mask = (1 << plane_bits) - 1;
    const auto scale = reinterpret_cast<HalfInts>(scale_twice);
    const auto bytes = reinterpret_cast<HalfInts>(tile_codes<Traits>(codes));
    const HalfInts even = ((bytes << 8) >> 8) * scale;
    const HalfInts odd = (bytes >> 8) * scale;
    store_vector(low, (even & mask) | (odd & mask) << 8);
    store_vector(high, ((even >> plane_bits) & 255) | (odd >> plane_bits) << 8);
  }
}

/// A block of an interleaved panel as planes, the `at`th of a chunk.
template <class Traits, class Codec>
KERN_INLINE void unpack_planes(const PanelSource& source, int at, const PanelChunk& to) {
  constexpr int groups = rounding_groups<Traits>;
  const typename Codec::Header header(source);
  Words scales[groups];
  unroll<groups>([&](auto g) __attribute__((always_inline)) {
    if constexpr (groups > 1) scales[g] = twice_a_lane(reinterpret_cast<Words>(header.template whole_scale<g>()));
    else scales[g] = every_lane(0x00010001u);
  });
  const int first = at * Traits::width * chunk_rows;
  Codec::codes(
      source, [&](int k, Words four) __attribute__((always_inline)) {
        const int place = first + k * chunk_rows * 4;
        store_planes<Traits>(to.codes + place, to.high_codes + place, four, scales[k * 4 / Traits::group]);
      });
  store_vector(to.scales + at * chunk_rows, block_scale<Traits>(header));
  if constexpr (Traits::has_min) {
    std::uint32_t* minimums = to.min_pairs + at * plane_minimums * chunk_rows;
    unroll<plane_minimums>([&](auto g) __attribute__((always_inline)) {
      Words value{};
      if constexpr (g < groups) {
        const Words minimum = (header.template min_pair<g / 2>() >> (16 * (g % 2))) & 0xFFFFu;
        value = reinterpret_cast<Words>(to_floats(as_ints(minimum))); // a bfloat16 with zeros behind
      }
      store_vector(minimums + g * chunk_rows, value | value >> 16);
    });
    store_vector(to.min_scales + at * chunk_rows, header.min_scale());
  }
}

/// A block of an interleaved panel as codes, scales and minimums.
template <class Traits, class Codec>
KERN_INLINE void unpack_codes(const PanelSource& source, int at, const PanelChunk& to) {
  constexpr int groups = Traits::width / Traits::group;
  CodeWriter<Traits::width> codes(to.codes + at * Traits::width * chunk_rows);
  Codec::codes(
      source, [&](int k, Words four) __attribute__((always_inline)) { codes.put(k, tile_codes<Traits>(four)); });
  const typename Codec::Header header(source);
  if constexpr (sums_whole<Traits>) {
    unroll<groups>([&](auto g) __attribute__((always_inline)) {
      Ints scale = header.template whole_scale<g>();
      if constexpr (in_scaled_runs<Traits>) scale = whole_lanes(scale);
      store_vector(to.whole_scales + (at * groups + g) * chunk_rows, scale);
    });
    store_vector(to.scales + at * chunk_rows, header.d);
  } else {
    unroll<groups>([&](auto g) __attribute__((always_inline)) {
      store_vector(to.scales + (at * groups + g) * chunk_rows, header.template scale<g>());
    });
  }
  if constexpr (Traits::has_min) {
    constexpr int pairs = corrections_per_block<Traits>;
    unroll<pairs>([&](auto p) __attribute__((always_inline)) {
      store_vector(to.min_pairs + (at * pairs + p) * chunk_rows, header.template min_pair<p>());
    });
    store_vector(to.min_scales + at * chunk_rows, header.min_scale());
  }
}

/// Block `block` of an interleaved panel of `blocks` blocks, the `at`th of a chunk.
template <class Traits, class Codec>
KERN_INLINE void unpack_block(const std::byte* panel, int blocks, int block, int at, const PanelChunk& to) {
  for (int lane = 0; lane < panel_rows; lane += lane_count) {
    const PanelSource source = panel_source<Codec>(panel, blocks, block, lane);
    if constexpr (in_planes<Traits>) unpack_planes<Traits, Codec>(source, at, to.from(lane));
    else unpack_codes<Traits, Codec>(source, at, to.from(lane));
  }
}

/// Blocks [begin, end) of a panel in memory.
template <class Traits>
void unpack_panel(const std::byte* panel, int blocks, int begin, int end, CacheLevel ahead, const PanelChunk& to) {
  for (int b = begin; b < end; ++b) {
    prefetch_block<Traits>(panel, b, blocks, ahead, 0);
    unpack_block<Traits, PanelCodec<Traits>>(panel, blocks, b, b - begin, to);
  }
}
