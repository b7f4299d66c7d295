// Quantized weights times many tokens with integer matrix instructions, bit for bit the canonical arithmetic.
//
// A block's tile of up to 128 rows by 128 tokens walks along k in units of 256 columns. While warps multiply a unit,
// the next one's weights are unpacked from shared memory to signed bytes and scales, the next one's activations and the
// weights after it are on their way; half of the warps unpack first and half multiply first, so that both kinds of work
// always have a warp to run.
//
// Instructions on an H200, for each 16 x 8 x 32 multiplication of a warp (4096 multiply-adds): one matrix instruction,
// for each of a thread's four sums two float operations, half a load of matrices and a fraction of scales: about 11.
// Unpacking a tile's weights is another 10% with 128 tokens. At one instruction a clock that would be 630 TOPS, 64% of
// the peak of dense bf16 arithmetic.
//
// Blocks of 256 take less, because scales of groups are whole numbers: one multiply-add a sum, about 7 in all (with
// groups of 16 two multiplications of half the columns, 12), then a conversion and two float operations, or four, a sum
// for each 256 columns. Multiply-adds of integers run at half the rate of float ones, so that 8 clocks remain of 11;
// on sm_80 at the same rate as float ones, 8 of 16. Where weights times scales fit a byte (Q2_K, Q3_K, TQ) they are
// multiplied when they are unpacked and nothing is left but the matrix instruction and its loads, 2 instructions. Two
// such bytes for the others would be two matrix instructions, 13 clocks here and 32 on sm_86 and sm_89: they are for
// warpgroups (warpgroup_tile_product.cu).
//
// Narrow roundings' sums are exact integers below 2^22 and become floats without a conversion: the accumulator begins
// with the bits of 1.5 * 2^23, so its bits are those of the float 1.5 * 2^23 + sum. The first group is scaled by
//   fma(1.5 * 2^23 + sum, scale, -1.5 * 2^23 * scale) = round(sum * scale):
// the last factor is exact, because 3 * 2^22 adds two bits to a scale's, and those of formats with narrow roundings are
// halves or shorter, 11 bits. (A product that is -0 becomes +0, which is then added to a sum that is not -0.) A scale
// that is infinite, or above 2^104, gives not a number here where the CPU may give infinity. A second group subtracts
// first, which is exact too.
#include <algorithm>

#include "kernels/cuda/tile_layout.h"
#include "kernels/cuda/tile_unit.h"
#include "kernels/cuda/warpgroup_tile.h"

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
};

/// A thread's part of the warp's results: [16 rows][8 tokens][elements of a matrix instruction].
using ProductSums = float[2][4][4];
using UnitSums = int[2][4][4];

/// Four numbers, or eight, that a thread finds together.
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
struct FourInts {
  int at[4];
  KERN_DEVICE explicit FourInts(const void* from) {
    const uint4 four = *static_cast<const uint4*>(from);
    at[0] = static_cast<int>(four.x);
    at[1] = static_cast<int>(four.y);
    at[2] = static_cast<int>(four.z);
    at[3] = static_cast<int>(four.w);
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
    weights = from + layout.weight_codes() + (row + lane % 16) * unit_columns;
    tokens = from + layout.token_codes() + (token + lane / 16 * 8 + lane % 8) * unit_columns;
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
  KERN_DEVICE FourInts whole_scales(unsigned group) const {
    return FourInts(buffer + layout.scales() + (group * layout.shape.rows() + first_row) * 4);
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
  KERN_DEVICE float with_narrow_minimum(unsigned step, int of_token, int r, float s) const {
    return fused(bits_float(token_sums(step).at[of_token]), min_scales(step).at[r], s);
  }

  /// 32 columns of a block whose weights are products with their scales: one exact sum.
  KERN_DEVICE void add_products(unsigned step, UnitSums& total) const {
    std::uint32_t a[2][4], b[2][4];
    load(step, a, b);
    KERN_UNROLL
    for (int i = 0; i < 8; ++i) {
      const int n = i % 4;
      const std::uint32_t b_of[2] = {b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]};
      multiply_bytes(total[i / 4][n], a[i / 4], b_of);
    }
  }

  /// 32 columns of a block, groups of 16 or 32: total += scale * sum of each.
  KERN_DEVICE void add_groups(unsigned step, UnitSums& total) const {
    std::uint32_t a[2][4], b[2][4];
    load(step, a, b);
    constexpr bool halves = Traits::group == 16;
    const FourInts scale = whole_scales(halves ? step * 2 : step);
    const FourInts second = whole_scales(halves ? step * 2 + 1 : step);
    KERN_UNROLL
    for (int n = 0; n < 4; ++n) {
      const std::uint32_t b_of[2] = {b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]};
      KERN_UNROLL
      for (int m = 0; m < 2; ++m) {
        int d[4];
        int e[4];
        if constexpr (halves) {
          multiply_bytes_16_from(0, d, a[m][0], a[m][1], b_of[0]);
          multiply_bytes_16_from(0, e, a[m][2], a[m][3], b_of[1]);
        } else multiply_bytes_from(0, d, a[m], b_of);
        KERN_UNROLL
        for (int i = 0; i < 4; ++i) {
          const int r = m * 2 + i / 2;
          total[m][n][i] += d[i] * scale.at[r];
          if constexpr (halves) total[m][n][i] += e[i] * second.at[r];
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

  /// A block of 256: s = float(total) * block's scale, then minimums, then result = fma(s, token's scale, result).
  KERN_DEVICE void add_block(ProductSums& results) const {
    UnitSums total = {};
    KERN_NO_UNROLL
    for (unsigned step = 0; step < 8; ++step) {
      if constexpr (unpacks_products<Traits>()) add_products(step, total);
      else add_groups(step, total);
    }
    const FourFloats scale(buffer + layout.block_scales() + first_row * 4);
    ProductSums s;
    KERN_UNROLL
    for (int i = 0; i < 32; ++i) {
      const int sum = total[i / 16][i / 4 % 4][i % 4];
      s[i / 16][i / 4 % 4][i % 4] =
          static_cast<float>(WeightPlanes<Traits>::negated ? -sum : sum) * scale.at[i / 16 * 2 + i % 4 / 2];
    }
    if constexpr (Traits::has_min) subtract_minimums(s);
    scale_by_tokens(s, results);
  }

  KERN_DEVICE void add_to(ProductSums& results) const {
    if constexpr (has_whole_scales<Traits>) add_block(results);
    else
      for (unsigned step = 0; step < 8; ++step) narrow_step(step, results);
  }
};

KERN_DEVICE void store_tile(const TileProduct& call, const TilePlace& at, const ProductSums& results) {
  const int slot = at.first_slot + static_cast<int>(at.row) / panel_rows;
  const int lane = static_cast<int>(at.lane);
  const int first_token = at.first_token + static_cast<int>(at.token);
  KERN_UNROLL
  for (int half = 0; half < 2; ++half) {
    const ResultRows rows(call.list, slot, lane / 4 + half * 8);
    KERN_UNROLL
    for (int i = 0; i < 8; ++i) {
      const int n = i / 2;
      const int token = first_token + n * 8 + lane % 4 * 2 + i % 2;
      const int element = half * 2 + i % 2;
      if (token < call.tokens) rows.store(token, results[0][n][element], results[1][n][element]);
    }
  }
}

template <class Traits> __global__ void __launch_bounds__(most_tile_threads, 1) tile_product(TileProduct call) {
  wait_for_inputs();
  const TilePlace at(call);
  const TileLayout<Traits> layout{call.shape};
  const TileTokens tokens{call.x, call.tokens, at.first_token};
  const int units = call.x.units;
  unsigned char* memory = &shared_memory<unsigned char>();
  auto& panels = *reinterpret_cast<TilePanels*>(memory);
  unsigned char* buffers = memory + sizeof(TilePanels);
  const auto buffer = [&](int unit) { return buffers + (unit & 1) * layout.bytes(); };

  panels.find(layout, call.list, at.first_slot, units);
  block_barrier();
  fetch_weights(layout, panels, 0, buffer(0));
  fetch_tokens(layout, tokens, 0, buffer(0));
  if (units > 1) fetch_weights(layout, panels, 1, buffer(1));
  commit_copies();
  wait_copies<0>();
  block_barrier();
  unpack_weights(layout, buffer(0));
  block_barrier();

  ProductSums results = {};
  const bool unpacks_first = at.warp / 4 % 2 == 0; // two warps of each scheduler's four
  for (int unit = 0; unit < units; ++unit) {
    const bool more = unit + 1 < units;
    if (more) fetch_tokens(layout, tokens, unit + 1, buffer(unit + 1));
    if (unit + 2 < units) fetch_weights(layout, panels, unit + 2, buffer(unit));
    commit_copies();
    KERN_NO_UNROLL
    for (int turn = 0; turn < 2; ++turn) { // both kinds of work stand in the code once
      if ((turn == 0) == unpacks_first) {
        if (more) unpack_weights(layout, buffer(unit + 1));
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

/// Whether warpgroups' tiles give every multiprocessor one, and few of their tokens are none: what they gain is a
/// third at most.
bool fills_warpgroups(const DeviceInfo& device, std::span<const ProductPart> parts, int tokens) {
  std::int64_t panels = 0;
  for (const ProductPart& part : parts) panels += part.weight.panels();
  const int columns = covering(tokens, warpgroup_tokens);
  return columns * static_cast<int>(warpgroup_tokens) * 4 <= tokens * 5 &&
         panels / warpgroup_panels * columns >= device.multiprocessors;
}

} // namespace

void launch_tile_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x, int tokens,
                         Epilogue epilogue) {
  if (device.warpgroup_products() && fills_warpgroups(device.info(), parts, tokens))
    return launch_warpgroup_tile_product(device, parts, x, tokens, epilogue);
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
