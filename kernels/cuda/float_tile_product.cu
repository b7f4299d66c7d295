// F16 and BF16 weights times many tokens with tensor cores.
//
// Activations are rounded to the weights' type. That changes each by at most 2^-11 (F16) or 2^-8 (BF16) of itself, so a
// result by at most that part of the sum of its terms' magnitudes; products are exact. A half reaches from 2^-24 to
// 65504 only, and some models' activations leave that: so 64 columns of a token are first multiplied by the power of
// two that brings their largest to [2^14, 2^15), and what a tensor core adds up over them is divided by it again. What
// then falls below the smallest half is off by 2^-39 of the largest. Adding up 64 columns apart also keeps sums short
// in the tensor cores' accumulators, which truncate.
//
// A block multiplies 128 rows by up to 128 tokens, a warp 64 by 32 of them: six loads of matrices for 16
// multiplications of 16 x 8 x 16, so that shared memory can feed tensor cores to two thirds of an H200's dense peak,
// which is about what these instructions reach there. The next 64 columns' weights are on their way to shared memory
// and its activations to registers meanwhile; those are rounded when they have come.
#include <algorithm>

#include "kernels/cuda/float_rounding.h"
#include "kernels/cuda/product_parts.h"

namespace kern::cuda {

namespace {

constexpr unsigned stage_tiles = stage_columns_16 / float_columns;
constexpr unsigned block_panels_16 = 8;
constexpr unsigned warp_panels_16 = 4;
constexpr unsigned most_token_warps = 4;
constexpr unsigned tile_bytes_16 = panel_rows * float_columns * 2;

struct FloatTileProduct {
  PanelList list;
  const float* x; // [tokens][columns]
  int columns;
  int tokens;
  unsigned token_warps; // of a block
};

/// One of two buffers: weights [panel][tile][row of 16][16], tokens [token][64]; pieces of 16 bytes mixed up so that
/// what matrices are loaded from lies in different banks. Then what a token's sums are multiplied by.
struct FloatTileLayout {
  unsigned token_warps;

  KERN_INLINE unsigned tokens() const { return block_panels_16 * stage_tiles * tile_bytes_16; }
  KERN_INLINE unsigned scales() const { return tokens() + token_warps * 32 * stage_columns_16 * 2; }
  KERN_INLINE unsigned bytes() const { return scales() + token_warps * 32 * 4; }
};

/// What a thread knows of its place.
struct FloatTilePlace {
  unsigned thread, lane;
  unsigned panel, token; // where the warp's begin in the tile
  int first_slot, first_token;

  KERN_DEVICE explicit FloatTilePlace(const FloatTileProduct& call) {
    thread = static_cast<unsigned>(thread_index());
    lane = thread % 32;
    panel = thread / 32 % 2 * warp_panels_16;
    token = thread / 64 * 32;
    first_slot = block_y() * static_cast<int>(block_panels_16);
    first_token = block_x() * static_cast<int>(call.token_warps) * 32;
  }
};

struct FloatTilePanels {
  const std::byte* begin[block_panels_16];
};

/// Brings the tiles of a stage that there are.
KERN_DEVICE void fetch_float_weights(const FloatTileProduct& call, const FloatTilePlace& at,
                                     const FloatTilePanels& panels, unsigned stage, unsigned tiles,
                                     unsigned char* buffer) {
  constexpr unsigned pieces = stage_tiles * tile_bytes_16 / 16; // of a panel
  const unsigned left = tiles - stage * stage_tiles;
  for (unsigned i = at.thread; i < block_panels_16 * pieces; i += call.token_warps * 64) {
    const unsigned piece = i % pieces;
    if (piece / (tile_bytes_16 / 16) >= left) continue;
    copy_async(buffer + (i ^ (i >> 3 & 1u)) * 16,
               panels.begin[i / pieces] + static_cast<std::size_t>(stage) * stage_tiles * tile_bytes_16 + piece * 16);
  }
}

/// A thread's activations of a stage: of two tokens the pieces of four columns q, q + 4, q + 8 and q + 12, q being the
/// thread's number among four that share the token.
struct StageTokens {
  float values[2][4][4];

  KERN_DEVICE void load(const FloatTileProduct& call, const FloatTilePlace& at, unsigned stage) {
    KERN_UNROLL
    for (unsigned i = 0; i < 2; ++i) {
      const int wanted = at.first_token + static_cast<int>(place_of(call, at, i));
      const int token = wanted < call.tokens ? wanted : call.tokens - 1;
      const float* from = call.x + static_cast<std::int64_t>(token) * call.columns;
      KERN_UNROLL
      for (unsigned j = 0; j < 4; ++j) {
        const auto column = static_cast<int>(stage * stage_columns_16 + j * 16 + at.thread % 4 * 4);
        load_columns(from, column, call.columns, values[i][j]);
      }
    }
  }
  /// Rounds them into a buffer.
  template <class Block>
  KERN_DEVICE void store(const FloatTileProduct& call, const FloatTilePlace& at, unsigned char* buffer) {
    const FloatTileLayout layout{call.token_warps};
    KERN_UNROLL
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned token = place_of(call, at, i);
      const StageScale scale = stage_scale<Block>(largest(values[i]));
      KERN_UNROLL
      for (unsigned j = 0; j < 4; ++j) {
        const unsigned piece = j * 2 + at.thread % 4 / 2;
        auto* to = reinterpret_cast<uint2*>(buffer + layout.tokens() + token * stage_columns_16 * 2 +
                                            (piece ^ (token & 7u)) * 16 + at.thread % 2 * 8);
        *to = round_four<Block>(values[i][j], scale.factor);
      }
      if (at.thread % 4 == 0) reinterpret_cast<float*>(buffer + layout.scales())[token] = scale.inverse;
    }
  }

private:
  KERN_DEVICE static unsigned place_of(const FloatTileProduct& call, const FloatTilePlace& at, unsigned i) {
    return (at.thread + i * call.token_warps * 64) / 4;
  }
  /// Bits of the largest of the token's 64 activations.
  KERN_DEVICE static unsigned largest(const float (&values)[4][4]) {
    unsigned top = least_top_bits;
    KERN_UNROLL
    for (int j = 0; j < 4; ++j) top = largest_bits(values[j], top);
    KERN_UNROLL
    for (int mask = 1; mask < 4; mask *= 2) {
      const unsigned other = from_lane_xor(top, mask);
      top = other > top ? other : top;
    }
    return top;
  }
};

/// A thread's part of the warp's results: [panel][8 tokens][elements of a matrix instruction].
using FloatTileSums = float[warp_panels_16][4][4];

template <class Block>
KERN_DEVICE void multiply_numbers(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  if constexpr (is_half<Block>) multiply_halves(d, a, b);
  else multiply_bfloats(d, a, b);
}

/// Adds a stage's products.
template <class Block>
KERN_DEVICE void multiply_stage(const FloatTilePlace& at, const FloatTileLayout& layout, const unsigned char* buffer,
                                unsigned tiles, FloatTileSums& results) {
  const unsigned row = at.lane % 16;
  const unsigned char* weights =
      buffer + at.panel * stage_tiles * tile_bytes_16 + row * 32 + (at.lane / 16 ^ (row >> 2 & 1u)) * 16;
  const unsigned char* tokens =
      buffer + layout.tokens() + (at.token + at.lane / 16 * 8 + at.lane % 8) * stage_columns_16 * 2;
  const unsigned swizzle = (at.lane / 8 % 2 ^ at.lane % 8) * 16;
  FloatTileSums d = {};
  for (unsigned step = 0; step < stage_tiles && step < tiles; ++step) {
    std::uint32_t b[2][4];
    KERN_UNROLL
    for (unsigned i = 0; i < 2; ++i)
      load_matrices(b[i], tokens + i * 16 * stage_columns_16 * 2 + (swizzle ^ step * 32));
    KERN_UNROLL
    for (unsigned m = 0; m < warp_panels_16; ++m) {
      std::uint32_t a[4];
      load_matrices(a, weights + (m * stage_tiles + step) * tile_bytes_16);
      KERN_UNROLL
      for (unsigned n = 0; n < 4; ++n) {
        const std::uint32_t b_of[2] = {b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]};
        multiply_numbers<Block>(d[m][n], a, b_of);
      }
    }
  }
  const auto* scales = reinterpret_cast<const float*>(buffer + layout.scales()) + at.token + at.lane % 4 * 2;
  KERN_UNROLL
  for (unsigned n = 0; n < 4; ++n) {
    const float2 scale = *reinterpret_cast<const float2*>(scales + n * 8);
    KERN_UNROLL
    for (unsigned m = 0; m < warp_panels_16; ++m) KERN_UNROLL
    for (unsigned i = 0; i < 4; ++i)
      results[m][n][i] = fused(d[m][n][i], i % 2 == 0 ? scale.x : scale.y, results[m][n][i]);
  }
}

KERN_DEVICE void store_float_tile(const FloatTileProduct& call, const FloatTilePlace& at,
                                  const FloatTileSums& results) {
  const int slot = at.first_slot + static_cast<int>(at.panel);
  const int lane = static_cast<int>(at.lane);
  KERN_UNROLL
  for (int m = 0; m < static_cast<int>(warp_panels_16); m += 2) {
    KERN_UNROLL
    for (int half = 0; half < 2; ++half) {
      const ResultRows rows(call.list, slot + m, lane / 4 + half * 8);
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) {
        const int n = i / 2;
        const int token = at.first_token + static_cast<int>(at.token) + n * 8 + lane % 4 * 2 + i % 2;
        const int element = half * 2 + i % 2;
        if (token < call.tokens) rows.store(token, results[m][n][element], results[m + 1][n][element]);
      }
    }
  }
}

template <class Traits>
__global__ void __launch_bounds__(most_token_warps * 64, 1) float_tile_product(FloatTileProduct call) {
  wait_for_inputs();
  using Block = typename Traits::Block;
  const FloatTilePlace at(call);
  const FloatTileLayout layout{call.token_warps};
  unsigned char* memory = &shared_memory<unsigned char>();
  auto& panels = *reinterpret_cast<FloatTilePanels*>(memory);
  const auto buffer = [&](unsigned stage) { return memory + sizeof(FloatTilePanels) + (stage & 1) * layout.bytes(); };
  const auto tiles = static_cast<unsigned>(call.columns + float_columns - 1) / float_columns;
  const unsigned stages = (tiles + stage_tiles - 1) / stage_tiles;

  if (at.thread < block_panels_16) {
    const PanelPlace place = call.list.place_within(at.first_slot + thread_index());
    panels.begin[at.thread] =
        call.list.parts[place.part].weights + static_cast<std::size_t>(place.panel) * tiles * tile_bytes_16;
  }
  block_barrier();
  StageTokens x;
  fetch_float_weights(call, at, panels, 0, tiles, buffer(0));
  commit_copies();
  x.load(call, at, 0);
  x.template store<Block>(call, at, buffer(0));
  wait_copies<0>();
  block_barrier();

  FloatTileSums results = {};
  for (unsigned stage = 0; stage < stages; ++stage) {
    const bool more = stage + 1 < stages;
    if (more) {
      fetch_float_weights(call, at, panels, stage + 1, tiles, buffer(stage + 1));
      x.load(call, at, stage + 1);
    }
    commit_copies();
    multiply_stage<Block>(at, layout, buffer(stage), tiles - stage * stage_tiles, results);
    if (more) x.template store<Block>(call, at, buffer(stage + 1));
    wait_copies<0>();
    block_barrier();
  }
  store_float_tile(call, at, results);
}

std::size_t float_tile_bytes(unsigned token_warps) {
  return sizeof(FloatTilePanels) + 2 * std::size_t{FloatTileLayout{token_warps}.bytes()};
}

/// The width with the least time for the busiest multiprocessor: a block's rows cost it about as much as 32 tokens
/// more, and few warps hide little.
unsigned choose_token_warps(const DeviceInfo& device, int slots, int tokens) {
  const auto covering = [](int things, unsigned size) {
    return (things + static_cast<int>(size) - 1) / static_cast<int>(size);
  };
  unsigned best = 1;
  double least = 0;
  for (unsigned warps = most_token_warps; warps >= 1; warps /= 2) {
    if (float_tile_bytes(warps) > device.shared_bytes) continue;
    const int blocks = covering(slots, block_panels_16) * covering(tokens, warps * 32);
    const auto busiest = static_cast<unsigned>(covering(blocks, static_cast<unsigned>(device.multiprocessors)));
    const unsigned at_once = std::min(busiest, most_token_warps / warps); // as registers go
    const double time = busiest * (warps + 1) / (0.25 + 0.75 * at_once * warps / most_token_warps);
    if (least == 0 || time < least) {
      least = time;
      best = warps;
    }
  }
  return best;
}

} // namespace

void launch_float_tile_product(Device& device, std::span<const ProductPart> parts, const float* x, int tokens,
                               Epilogue epilogue) {
  const Format format = parts[0].weight.format;
  if (format == Format::f32 || (format == Format::bf16 && device.info().major < 8))
    return launch_lane_tile_product(device, parts, x, tokens, epilogue);
  FloatTileProduct call{PanelList::make(parts, epilogue), x, parts[0].weight.columns, tokens, 1};
  call.token_warps = choose_token_warps(device.info(), call.list.slots, tokens);
  const unsigned width = call.token_warps * 32;
  const Grid grid{(static_cast<unsigned>(tokens) + width - 1) / width,
                  (static_cast<unsigned>(call.list.slots) + block_panels_16 - 1) / block_panels_16};
  launch(device, format == Format::f16 ? float_tile_product<F16> : float_tile_product<BF16>, grid,
         call.token_warps * 64, float_tile_bytes(call.token_warps), call);
}

} // namespace kern::cuda
