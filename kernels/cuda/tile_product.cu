// Quantized weights times many tokens with integer matrix instructions, bit for bit the canonical arithmetic.
//
// A block's tile of up to 128 rows by 128 tokens walks along k in units of 256 columns. While warps multiply a unit,
// the next one's weights are unpacked from shared memory to signed bytes and scales, the next one's activations and the
// weights after it are on their way; half of the warps unpack first and half multiply first, so that both kinds of work
// always have a warp to run.
//
// Instructions on an H200, for each 16 x 8 x 32 multiplication of a warp (4096 multiply-adds): one matrix instruction,
// two float operations for each of a thread's four sums, half a load of matrices and a fraction of scales: about 11.
// Unpacking a tile's weights is another 10% with 128 tokens. At one instruction a clock that would be 630 TOPS, 64% of
// the peak of dense bf16 arithmetic.
//
// Sums are exact integers below 2^22 and become floats without a conversion: the accumulator begins with the bits of
// 1.5 * 2^23, so its bits are those of the float 1.5 * 2^23 + sum. The first group of a rounding is scaled by
//   fma(1.5 * 2^23 + sum, scale, -1.5 * 2^23 * scale) = round(sum * scale):
// the last factor is exact, because 3 * 2^22 adds two bits to a scale's, and those of formats with narrow roundings are
// halves or shorter, 11 bits. (A product that is -0 becomes +0, which is then added to a sum that is not -0.) A scale
// that is infinite, or above 2^104, gives not a number here where the CPU may give infinity. Later groups, and those of
// wide roundings, subtract first, which is exact too.
#include <algorithm>

#include "kernels/cuda/codecs.h"
#include "kernels/cuda/product_parts.h"
#include "kernels/cuda/tile_layout.h"

namespace kern::cuda {

namespace {

constexpr unsigned most_tile_threads = 512;
constexpr int sum_bits = 0x4B400000; // of sum_shift
constexpr float sum_shift = 0x1.8p23f;

struct TileProduct {
  PanelList list;
  RoundedRows x;
  int tokens;
  TileShape shape;
};

/// What a thread knows of its place.
struct TilePlace {
  TileShape shape;
  int first_slot, first_token; // of the block
  unsigned warp, lane;
  unsigned row, token; // where the warp's begin in the tile

  KERN_DEVICE explicit TilePlace(const TileProduct& call) : shape(call.shape) {
    warp = static_cast<unsigned>(thread_index()) / 32;
    lane = static_cast<unsigned>(thread_index()) % 32;
    first_slot = block_y() * static_cast<int>(shape.panels());
    first_token = block_x() * static_cast<int>(shape.tokens());
    row = (warp & (shape.row_warps() - 1)) * warp_tile;
    token = (warp >> shape.row_bits) * warp_tile;
  }
  KERN_DEVICE unsigned thread() const { return warp * 32 + lane; }
};

/// Brings a unit of the block's panels, as they lie.
template <class Traits>
KERN_DEVICE void fetch_weights(const TilePlace& at, const TilePanels& panels, int unit, unsigned char* raw) {
  constexpr unsigned pieces = Unit<Traits>::panel_bytes / 16;
  const std::size_t first = static_cast<std::size_t>(unit) * Unit<Traits>::panel_bytes;
  for (unsigned i = at.thread(); i < at.shape.panels() * pieces; i += at.shape.threads())
    copy_async(raw + i * 16, panels.begin[i / pieces] + first + i % pieces * 16);
}

/// Brings a unit of the block's tokens; those behind the last are the last one again.
template <class Traits>
KERN_DEVICE void fetch_tokens(const TileProduct& call, const TilePlace& at, int unit, unsigned char* buffer) {
  const TileLayout<Traits> layout{at.shape};
  constexpr unsigned roundings = Unit<Traits>::roundings;
  const auto unit_of = [&](unsigned token) {
    const int wanted = at.first_token + static_cast<int>(token);
    const int unit_index = (wanted < call.tokens ? wanted : call.tokens - 1) * call.x.units + unit; // below 2^31
    return static_cast<std::size_t>(unit_index);
  };
  for (unsigned i = at.thread(); i < at.shape.tokens() * 16; i += at.shape.threads())
    copy_async(buffer + layout.tokens() + code_place(i / 16, i % 16),
               call.x.codes + unit_of(i / 16) * unit_columns + i % 16 * 16);
  for (unsigned i = at.thread(); i < at.shape.tokens() * roundings; i += at.shape.threads()) {
    const unsigned token = i / roundings;
    const unsigned place = (i % roundings * at.shape.tokens() + token_place(token)) * 4;
    copy_word_async(buffer + layout.token_scales() + place, call.x.scales + unit_of(token) * roundings + i % roundings);
    if constexpr (TileLayout<Traits>::narrow_minimums)
      copy_word_async(buffer + layout.sums() + place, call.x.sums + unit_of(token) * 16 + i % roundings * 2);
  }
  if constexpr (TileLayout<Traits>::wide_minimums)
    for (unsigned i = at.thread(); i < at.shape.tokens() * 2; i += at.shape.threads())
      copy_async(buffer + layout.sums() + i * 16, call.x.sums + unit_of(i / 2) * 16 + i % 2 * 8);
}

/// A quarter of a row's unit: 64 codes with their sign, and the scales of their groups.
template <class Traits, int quarter>
KERN_DEVICE void unpack_quarter(const TileLayout<Traits>& layout, int row, unsigned char* buffer) {
  UnitCodec<Traits> codec;
  codec.template load<UnitHome::shared>(reinterpret_cast<const std::byte*>(buffer) + layout.raw() +
                                            row / panel_rows * Unit<Traits>::panel_bytes,
                                        row % panel_rows);
  // Codes are below 128: adding 128 - offset to each carries nowhere, and leaves the top bits inverted.
  constexpr auto offset = static_cast<std::uint32_t>(UnitCodec<Traits>::offset);
  const auto with_sign = [&](int index) {
    const std::uint32_t codes = codec.codes(quarter * 16 + index);
    return offset == 0 ? codes : (codes + (128u - offset) * 0x01010101u) ^ 0x80808080u;
  };
  KERN_UNROLL
  for (int piece = 0; piece < 4; ++piece)
    *reinterpret_cast<uint4*>(buffer + layout.weights() + code_place(row, quarter * 4 + piece)) =
        uint4{with_sign(piece * 4), with_sign(piece * 4 + 1), with_sign(piece * 4 + 2), with_sign(piece * 4 + 3)};
  auto* scales = reinterpret_cast<float*>(buffer + layout.scales()) + row_place(row);
  constexpr int groups = Unit<Traits>::groups;
  constexpr int groups_end = groups == 1 ? quarter == 0 : (quarter + 1) * groups / 4; // the first has an only one
  KERN_UNROLL
  for (int g = quarter * groups / 4; g < groups_end; ++g) scales[g * layout.shape.rows()] = codec.scale(g);
  auto* min_scales = reinterpret_cast<float*>(buffer + layout.min_scales()) + row_place(row);
  if constexpr (TileLayout<Traits>::narrow_minimums) {
    KERN_UNROLL
    for (int r = quarter * 2; r < quarter * 2 + 2; ++r) min_scales[r * layout.shape.rows()] = codec.min_scale(r);
  }
  if constexpr (TileLayout<Traits>::wide_minimums) {
    std::uint32_t minimums = 0;
    KERN_UNROLL
    for (int i = 0; i < 4; ++i)
      minimums |= static_cast<std::uint32_t>(codec.minimum((quarter * 4 + i) * groups / 16)) << (8 * i);
    *reinterpret_cast<std::uint32_t*>(buffer + layout.minimums() + row * 16 + quarter * 4) = minimums;
    if constexpr (quarter == 0) *min_scales = codec.min_scale(0);
  }
}

/// The weights that have come to a buffer, as codes and scales beside them; warps take quarters of 32 rows.
template <class Traits> KERN_DEVICE void unpack_weights(const TilePlace& at, unsigned char* buffer) {
  const TileLayout<Traits> layout{at.shape};
  for (unsigned task = at.warp; task < 4 * at.shape.row_warps(); task += at.shape.threads() / 32) {
    const unsigned row = (task & (at.shape.row_warps() - 1)) * 32 + at.lane;
    const unsigned quarter = task >> at.shape.row_bits;
    if (quarter == 0) unpack_quarter<Traits, 0>(layout, row, buffer);
    else if (quarter == 1) unpack_quarter<Traits, 1>(layout, row, buffer);
    else if (quarter == 2) unpack_quarter<Traits, 2>(layout, row, buffer);
    else unpack_quarter<Traits, 3>(layout, row, buffer);
  }
}

/// A thread's part of the warp's results: [16 rows][8 tokens][elements of a matrix instruction].
using ProductSums = float[2][4][4];

/// Four floats, or eight, that a thread finds together.
struct FourFloats {
  float at[4];
  KERN_DEVICE explicit FourFloats(const void* from) {
    const float4 four = *static_cast<const float4*>(from);
    at[0] = four.x;
    at[1] = four.y;
    at[2] = four.z;
    at[3] = four.w;
  }
};
struct EightWords {
  std::uint32_t at[8];
  KERN_DEVICE explicit EightWords(const void* from) {
    const auto* four = static_cast<const uint4*>(from);
    at[0] = four[0].x;
    at[1] = four[0].y;
    at[2] = four[0].z;
    at[3] = four[0].w;
    at[4] = four[1].x;
    at[5] = four[1].y;
    at[6] = four[1].z;
    at[7] = four[1].w;
  }
};

KERN_DEVICE float sum_of_bits(int bits) { return bits_float(static_cast<std::uint32_t>(bits)) - sum_shift; }

/// Multiplies a unit whose codes and scales are in a buffer.
template <class Traits> struct UnitProduct {
  TileLayout<Traits> layout;
  const unsigned char* buffer;
  const unsigned char* weights; // of the lane, for load_matrices
  const unsigned char* tokens;
  unsigned swizzle_weights, swizzle_tokens; // its piece of a step's two, mixed up
  unsigned first_row, first_token;          // of the thread, in the order of row_place() and token_place()
  unsigned row, token, lane;

  KERN_DEVICE UnitProduct(const TilePlace& at, const unsigned char* from)
      : layout{at.shape}, buffer(from), row(at.row), token(at.token), lane(at.lane) {
    weights = from + layout.weights() + (row + lane % 16) * unit_columns;
    tokens = from + layout.tokens() + (token + lane / 16 * 8 + lane % 8) * unit_columns;
    swizzle_weights = (lane / 16 ^ lane % 8) * 16;
    swizzle_tokens = (lane / 8 % 2 ^ lane % 8) * 16;
    first_row = row + lane / 4 * 4;
    first_token = token + lane % 4 * 8;
  }

  /// The matrices of 32 columns.
  KERN_DEVICE void load(unsigned step, std::uint32_t (&a)[2][4], std::uint32_t (&b)[2][4]) const {
    KERN_UNROLL
    for (int i = 0; i < 2; ++i) {
      load_matrices(a[i], weights + i * 16 * unit_columns + (swizzle_weights ^ (step * 32)));
      load_matrices(b[i], tokens + i * 16 * unit_columns + (swizzle_tokens ^ (step * 32)));
    }
  }
  KERN_DEVICE FourFloats scales(unsigned group) const {
    return FourFloats(buffer + layout.scales() + (group * layout.shape.rows() + first_row) * 4);
  }
  KERN_DEVICE FourFloats min_scales(unsigned rounding) const {
    return FourFloats(buffer + layout.min_scales() + (rounding * layout.shape.rows() + first_row) * 4);
  }
  KERN_DEVICE EightWords token_scales(unsigned rounding) const {
    return EightWords(buffer + layout.token_scales() + (rounding * layout.shape.tokens() + first_token) * 4);
  }
  KERN_DEVICE EightWords token_sums(unsigned rounding) const {
    return EightWords(buffer + layout.sums() + (rounding * layout.shape.tokens() + first_token) * 4);
  }

  /// Roundings of 32: result = fma(s, token's scale, result) after each.
  KERN_DEVICE void narrow_step(unsigned step, ProductSums& results) const {
    std::uint32_t a[2][4], b[2][4];
    load(step, a, b);
    constexpr bool halves = Traits::group == 16;
    const FourFloats scale = scales(halves ? step * 2 : step);
    const FourFloats second = scales(halves ? step * 2 + 1 : step);
    const EightWords token_scale = token_scales(step);
    float shift[4];
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) shift[i] = -sum_shift * scale.at[i];
    KERN_UNROLL
    for (int n = 0; n < 4; ++n) {
      const std::uint32_t b_of[2] = {b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]};
      KERN_UNROLL
      for (int m = 0; m < 2; ++m) {
        int d[4];
        int e[4];
        if constexpr (halves) {
          multiply_bytes_16_from(sum_bits, d, a[m][0], a[m][1], b_of[0]);
          multiply_bytes_16_from(sum_bits, e, a[m][2], a[m][3], b_of[1]);
        } else multiply_bytes_from(sum_bits, d, a[m], b_of);
        KERN_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int r = m * 2 + i / 2;
          float s = fused(bits_float(static_cast<std::uint32_t>(d[i])), scale.at[r], shift[r]);
          if constexpr (halves) s = fused(sum_of_bits(e[i]), second.at[r], s);
          if constexpr (Traits::has_min) s = with_narrow_minimum(step, n * 2 + i % 2, r, s);
          results[m][n][i] = fused(s, bits_float(token_scale.at[n * 2 + i % 2]), results[m][n][i]);
        }
      }
    }
  }
  /// Minimums of Q4_1 and Q5_1 are -1 times what they are scaled by.
  KERN_DEVICE float with_narrow_minimum(unsigned step, int of_token, int r, float s) const {
    const std::uint32_t pair = token_sums(step).at[of_token];
    const int sum = static_cast<std::int16_t>(pair & 0xFFFFu) + static_cast<std::int16_t>(pair >> 16);
    return fused(-static_cast<float>(-sum), min_scales(step).at[r], s);
  }

  /// A rounding of 256 columns in groups of 16 or 32: s = fma(sum, scale, s) after each group.
  KERN_DEVICE void wide_step(unsigned step, ProductSums& s) const {
    std::uint32_t a[2][4], b[2][4];
    load(step, a, b);
    constexpr bool halves = Traits::group == 16;
    const FourFloats scale = scales(halves ? step * 2 : step);
    const FourFloats second = scales(halves ? step * 2 + 1 : step);
    KERN_UNROLL
    for (int n = 0; n < 4; ++n) {
      const std::uint32_t b_of[2] = {b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]};
      KERN_UNROLL
      for (int m = 0; m < 2; ++m) {
        int d[4];
        int e[4];
        if constexpr (halves) {
          multiply_bytes_16_from(sum_bits, d, a[m][0], a[m][1], b_of[0]);
          multiply_bytes_16_from(sum_bits, e, a[m][2], a[m][3], b_of[1]);
        } else multiply_bytes_from(sum_bits, d, a[m], b_of);
        KERN_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int r = m * 2 + i / 2;
          s[m][n][i] = fused(sum_of_bits(d[i]), scale.at[r], s[m][n][i]);
          if constexpr (halves) s[m][n][i] = fused(sum_of_bits(e[i]), second.at[r], s[m][n][i]);
        }
      }
    }
  }

  /// s -= scale of minimums * exact sum of minimums and sums of 16 activations. Those have 13 bits: the matrix
  /// instruction takes their low 7 and the rest apart.
  KERN_DEVICE void subtract_minimums(ProductSums& s) const {
    const FourFloats scale = min_scales(0);
    const auto* minimums = reinterpret_cast<const std::uint32_t*>(buffer + layout.minimums()) + row * 4 + lane;
    KERN_UNROLL
    for (int n = 0; n < 4; ++n) {
      const uint2 sums =
          *reinterpret_cast<const uint2*>(buffer + layout.sums() + (token + n * 8 + lane / 4) * 32 + lane % 4 * 8);
      const std::uint32_t low = select_bytes(sums.x, sums.y, 0x6420u) & 0x7F7F7F7Fu;
      const std::uint32_t high = select_bytes(sums.x >> 7, sums.y >> 7, 0x6420u);
      KERN_UNROLL
      for (int m = 0; m < 2; ++m) {
        int d[4];
        int e[4];
        multiply_bytes_16_from(sum_bits, d, minimums[m * 64], minimums[m * 64 + 32], low);
        multiply_bytes_16_from(0, e, minimums[m * 64], minimums[m * 64 + 32], high);
        KERN_UNROLL
        for (int i = 0; i < 4; ++i)
          s[m][n][i] = fused(-sum_of_bits(d[i] + e[i] * 128), scale.at[m * 2 + i / 2], s[m][n][i]);
      }
    }
  }

  KERN_DEVICE void scale_by_tokens(const ProductSums& s, ProductSums& results) const {
    const EightWords token_scale = token_scales(0);
    KERN_UNROLL
    for (int i = 0; i < 32; ++i) {
      const int n = i / 4 % 4;
      float& result = results[i / 16][n][i % 4];
      result = fused(s[i / 16][n][i % 4], bits_float(token_scale.at[n * 2 + i % 2]), result);
    }
  }

  /// A scale for all 256 columns: one exact sum.
  KERN_DEVICE void single_group(ProductSums& results) const {
    int sums[2][4][4];
    KERN_UNROLL
    for (int i = 0; i < 32; ++i) sums[i / 16][i / 4 % 4][i % 4] = sum_bits;
    for (unsigned step = 0; step < 8; ++step) {
      std::uint32_t a[2][4], b[2][4];
      load(step, a, b);
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) {
        const int n = i % 4;
        const std::uint32_t b_of[2] = {b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]};
        multiply_bytes(sums[i / 4][n], a[i / 4], b_of);
      }
    }
    const FourFloats scale = scales(0);
    ProductSums s;
    KERN_UNROLL
    for (int i = 0; i < 32; ++i)
      s[i / 16][i / 4 % 4][i % 4] = sum_of_bits(sums[i / 16][i / 4 % 4][i % 4]) * scale.at[i / 16 * 2 + i % 4 / 2];
    scale_by_tokens(s, results);
  }

  KERN_DEVICE void add_to(ProductSums& results) const {
    if constexpr (Unit<Traits>::rounding == 32) {
      for (unsigned step = 0; step < 8; ++step) narrow_step(step, results);
    } else if constexpr (Unit<Traits>::groups == 1) {
      single_group(results);
    } else {
      ProductSums s;
      KERN_UNROLL
      for (int i = 0; i < 32; ++i)
        s[i / 16][i / 4 % 4][i % 4] = -0.0f; // fma with it is a product, sign of zero and all
      for (unsigned step = 0; step < 8; ++step) wide_step(step, s);
      if constexpr (Traits::has_min) subtract_minimums(s);
      scale_by_tokens(s, results);
    }
  }
};

KERN_DEVICE void store_tile(const TileProduct& call, const TilePlace& at, const ProductSums& results) {
  const int slot = at.first_slot + static_cast<int>(at.row) / panel_rows;
  const int lane = static_cast<int>(at.lane);
  const int first_token = at.first_token + static_cast<int>(at.token);
  KERN_UNROLL
  for (int i = 0; i < 16; ++i) {
    const int n = i / 4;
    const int row = lane / 4 + i % 4 / 2 * 8;
    const int token = first_token + n * 8 + lane % 4 * 2 + i % 2;
    if (token >= call.tokens) continue;
    if (call.list.epilogue == Epilogue::activate) {
      store_activated(call.list, slot, row, token, results[0][n][i % 4], results[1][n][i % 4]);
    } else {
      store_result(call.list, slot, row, token, results[0][n][i % 4]);
      store_result(call.list, slot + 1, row, token, results[1][n][i % 4]);
    }
  }
}

template <class Traits> __global__ void __launch_bounds__(most_tile_threads, 1) tile_product(TileProduct call) {
  wait_for_inputs();
  const TilePlace at(call);
  const TileLayout<Traits> layout{call.shape};
  const int units = call.x.units;
  unsigned char* memory = &shared_memory<unsigned char>();
  auto& panels = *reinterpret_cast<TilePanels*>(memory);
  unsigned char* buffers = memory + sizeof(TilePanels);
  const auto buffer = [&](int unit) { return buffers + (unit & 1) * layout.bytes(); };

  if (at.thread() < call.shape.panels()) {
    const PanelPlace place = call.list.place_within(at.first_slot + thread_index());
    panels.begin[thread_index()] = call.list.parts[place.part].weights + static_cast<std::size_t>(place.panel) *
                                                                             static_cast<std::size_t>(units) *
                                                                             Unit<Traits>::panel_bytes;
  }
  block_barrier();
  fetch_weights<Traits>(at, panels, 0, buffer(0) + layout.raw());
  fetch_tokens<Traits>(call, at, 0, buffer(0));
  if (units > 1) fetch_weights<Traits>(at, panels, 1, buffer(1) + layout.raw());
  commit_copies();
  wait_copies<0>();
  block_barrier();
  unpack_weights<Traits>(at, buffer(0));
  block_barrier();

  ProductSums results = {};
  const bool unpacks_first = at.warp / 4 % 2 == 0; // two warps of each scheduler's four
  for (int unit = 0; unit < units; ++unit) {
    const bool more = unit + 1 < units;
    if (more) fetch_tokens<Traits>(call, at, unit + 1, buffer(unit + 1));
    if (unit + 2 < units) fetch_weights<Traits>(at, panels, unit + 2, buffer(unit) + layout.raw());
    commit_copies();
    KERN_NO_UNROLL
    for (int turn = 0; turn < 2; ++turn) { // both kinds of work stand in the code once
      if ((turn == 0) == unpacks_first) {
        if (more) unpack_weights<Traits>(at, buffer(unit + 1));
      } else UnitProduct<Traits>(at, buffer(unit)).add_to(results);
    }
    wait_copies<0>();
    block_barrier();
  }
  store_tile(call, at, results);
}

template <class Traits> constexpr std::size_t tile_bytes(TileShape shape) {
  return sizeof(TilePanels) + 2 * static_cast<std::size_t>(TileLayout<Traits>{shape}.bytes());
}

/// Blocks of one size that cover a number of things.
int covering(int things, unsigned size) { return (things + static_cast<int>(size) - 1) / static_cast<int>(size); }

/// The shape with the least time, as far as counting goes: what the busiest multiprocessor multiplies and unpacks, and
/// how much of it runs side by side.
template <class Traits> TileShape choose_shape(const DeviceInfo& device, int slots, int tokens) {
  constexpr std::size_t shared_of_block = 1024; // that the system takes
  static_assert(tile_bytes<Traits>({}) <= std::size_t{64} << 10, "the smallest shape fits every device");
  TileShape best;
  double least = 0;
  for (const TileShape shape : {TileShape{2, 2}, {2, 1}, {1, 2}, {1, 1}, {2, 0}, {1, 0}, {0, 1}, {0, 0}}) {
    const std::size_t bytes = tile_bytes<Traits>(shape);
    if (bytes > device.shared_bytes) continue;
    const int tiles = covering(slots, shape.panels()) * covering(tokens, shape.tokens());
    const auto busiest = static_cast<unsigned>(covering(tiles, static_cast<unsigned>(device.multiprocessors)));
    const auto by_memory = static_cast<unsigned>((device.shared_bytes + shared_of_block) / (bytes + shared_of_block));
    const unsigned at_once = std::min({busiest, by_memory, most_tile_threads / shape.threads()});
    // Unpacking 32 rows costs as much as multiplying them with about 13 tokens; few warps hide little.
    const double work = shape.row_warps() * (shape.token_warps() + 0.4);
    const double time = busiest * work / (0.25 + 0.75 * at_once * shape.threads() / most_tile_threads);
    if (least == 0 || time < least) {
      least = time;
      best = shape;
    }
  }
  return best;
}

} // namespace

void launch_tile_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x, int tokens,
                         Epilogue epilogue) {
  TileProduct call{PanelList::make(parts, epilogue), x, tokens, {}};
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float) {
      call.shape = choose_shape<Traits>(device.info(), call.list.slots, tokens);
      const Grid grid{static_cast<unsigned>(covering(tokens, call.shape.tokens())),
                      static_cast<unsigned>(covering(call.list.slots, call.shape.panels()))};
      launch(device, tile_product<Traits>, grid, call.shape.threads(), tile_bytes<Traits>(call.shape), call);
    }
  });
}

} // namespace kern::cuda
