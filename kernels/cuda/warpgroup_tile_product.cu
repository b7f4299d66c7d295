// Quantized weights times many tokens with sm_90a's warpgroup products, bit for bit the canonical arithmetic, for
// formats with narrow roundings whose groups have 32 columns or more. (Blocks of 256: warpgroup_block_product.cu.)
//
// A block of one or two warpgroups has a tile of 64 rows a warpgroup by 128 tokens and walks along k in units of 256
// columns, as tile_product.cu does: while one warpgroup multiplies a unit, the other unpacks the next one's weights,
// and what comes after is on its way. A warpgroup multiplies 64 rows by 64 tokens by 32 columns, a group, at a time. It
// has two sets of sums: while the tensor cores make one, the other is scaled.
//
// Instructions on an H200, of a warp for its part of a product of 64 x 64 x 32, 32 sums a thread: 107: a conversion a
// sum, which runs beside float operations at half their rate, two float operations, scales and descriptors. With
// unpacking and copies a unit of a block of two warpgroups takes a scheduler 4500 instructions: 430 TOPS at one a
// clock. (Blocks of 16 warps of tile_product.cu: 4400.) The tensor cores read shared memory themselves and are busy for
// 1000 clocks of that.
#include "kernels/cuda/warpgroup_fetch.h"

namespace kern::cuda {

namespace {

struct WarpgroupTileProduct {
  PanelList list;
  RoundedRows x;
  int tokens;
};

/// Formats with narrow roundings whose groups a product of 32 columns can tell apart.
template <class Traits> constexpr bool has_group_of_32() {
  if constexpr (Traits::is_float) return false;
  else return !has_whole_scales<Traits> && Traits::group >= 32;
}

constexpr unsigned tile_halves = 2; // of 64 tokens

/// A thread's part of its warpgroup's product of 64 tokens, and of all 128.
using HalfSums = int[32];
using HalfResults = float[tile_halves][32];

/// Multiplies a unit whose codes and scales are in a buffer.
template <class Traits> struct WarpgroupUnit {
  using Layout = WarpgroupLayout<Traits>;
  static constexpr unsigned half_tokens = warpgroup_tokens / tile_halves;

  const unsigned char* buffer;
  unsigned first_row;                      // of the warpgroup
  unsigned row, token;                     // where the thread's begin, in the order of their places
  std::uint64_t weight_codes, token_codes; // of the first product

  KERN_DEVICE WarpgroupUnit(const WarpgroupPlace& at, const unsigned char* from)
      : buffer(from), first_row(at.warpgroup * warpgroup_rows), row(first_row + at.warp * 16 + at.lane / 4 * 2),
        token(at.lane % 4 * 4),
        weight_codes(swizzled_operand(shared_address(from + Layout::weight_codes()) + first_row * operand_row_bytes)),
        token_codes(swizzled_operand(shared_address(from + Layout::token_codes()))) {}

  /// Begins the product of 32 columns.
  KERN_DEVICE void multiply(unsigned step, unsigned half, HalfSums& sums) const {
    const unsigned along_k = step % 4 * 32;
    begin_warpgroup_products();
    warpgroup_multiply_bytes(sums, weight_codes + operand_offset(step / 4 * Layout::weight_half() + along_k),
                             token_codes + operand_offset(step / 4 * Layout::token_half() +
                                                          half * half_tokens * operand_row_bytes + along_k),
                             false);
    commit_warpgroup_products();
  }

  /// Of the thread's two rows.
  KERN_DEVICE float2 row_pair(unsigned array, unsigned index) const {
    return *reinterpret_cast<const float2*>(buffer + array + (index * Layout::rows() + row) * 4);
  }
  /// Of four of the thread's tokens: its pairs of eights 2 * eights and 2 * eights + 1.
  template <class Four> KERN_DEVICE Four token_four(unsigned array, unsigned index, unsigned half, int eights) const {
    const unsigned place = index * Layout::tokens() + half * half_tokens + static_cast<unsigned>(eights) * 16 + token;
    return *reinterpret_cast<const Four*>(buffer + array + place * 4);
  }

  /// Roundings of 32: result = fma(sum * scale, token's scale, result) after each.
  KERN_DEVICE void add_narrow(unsigned step, unsigned half, const HalfSums& sums, float (&results)[32]) const {
    const float2 scale = row_pair(Layout::scales(), step);
    KERN_UNROLL
    for (int eights = 0; eights < 4; ++eights) {
      const auto four = token_four<float4>(Layout::token_scales(), step, half, eights);
      const float token_scale[4] = {four.x, four.y, four.z, four.w};
      float s[8];
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) s[i] = static_cast<float>(sums[eights * 8 + i]) * (i % 4 < 2 ? scale.x : scale.y);
      if constexpr (narrow_minimums<Traits>) add_narrow_minimums(step, half, eights, s);
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) {
        float& result = results[eights * 8 + i];
        result = fused(s[i], token_scale[i / 4 * 2 + i % 2], result);
      }
    }
  }
  KERN_DEVICE void add_narrow_minimums(unsigned step, unsigned half, int eights, float (&s)[8]) const {
    const float2 scale = row_pair(Layout::min_scales(), step);
    const auto four = token_four<uint4>(Layout::sums(), step, half, eights);
    const float added[4] = {added_sum(four.x), added_sum(four.y), added_sum(four.z), added_sum(four.w)};
    KERN_UNROLL
    for (int i = 0; i < 8; ++i) s[i] = fused(added[i / 4 * 2 + i % 2], i % 4 < 2 ? scale.x : scale.y, s[i]);
  }

  /// A group after the other; `add` scales its sums of a half. One half's are being made while the other's are scaled;
  /// unrolled, because the compiler lets no product be under way from one round of a loop to the next.
  template <class Add> KERN_DEVICE void each_group(HalfSums& first, HalfSums& second, Add&& add) const {
    constexpr unsigned steps = unit_columns / 32;
    multiply(0, 0, first);
    KERN_UNROLL
    for (unsigned step = 0; step < steps - 1; ++step) {
      multiply(step, 1, second);
      wait_warpgroup_products<1>(first);
      add(step, 0, first);
      multiply(step + 1, 0, first);
      wait_warpgroup_products<1>(second);
      add(step, 1, second);
    }
    multiply(steps - 1, 1, second);
    wait_warpgroup_products<1>(first);
    add(steps - 1, 0, first);
    wait_warpgroup_products<0>(second);
    add(steps - 1, 1, second);
  }

  KERN_DEVICE void add_to(HalfResults& results) const {
    HalfSums first, second;
    each_group(first, second, [&](unsigned step, unsigned half, const HalfSums& sums) {
      add_narrow(step, half, sums, results[half]);
    });
  }
};

template <class Traits> KERN_DEVICE void multiply_warpgroup_tile(const WarpgroupTileProduct& call) {
  const WarpgroupPlace at;
  const WarpgroupLayout<Traits> layout{static_cast<unsigned>(block_threads()) / warpgroup_threads};
  const int first_slot = block_y() * static_cast<int>(layout.warpgroups * warpgroup_panels);
  const TileTokens tile{call.x, call.tokens, at.first_token};
  const WarpgroupTokens<Traits> tokens{layout, tile};
  const int units = call.x.units;
  unsigned char* memory = &shared_memory<unsigned char>();
  auto& panels = *reinterpret_cast<TilePanels*>(memory + 2 * WarpgroupLayout<Traits>::bytes());
  const auto buffer = [&](int unit) { return memory + (unit & 1) * WarpgroupLayout<Traits>::bytes(); };

  panels.find(layout, call.list, first_slot, units);
  block_barrier();
  fetch_panels(layout, panels, 0, buffer(0));
  tokens.fetch(0, buffer(0));
  if (units > 1) fetch_panels(layout, panels, 1, buffer(1));
  commit_copies();
  wait_copies<0>();
  block_barrier();
  unpack_weights(layout, buffer(0));
  publish_shared();
  block_barrier();

  HalfResults results = {};
  const bool unpacks_first = at.warpgroup == 0;
  for (int unit = 0; unit < units; ++unit) {
    const bool more = unit + 1 < units;
    if (more) tokens.fetch(unit + 1, buffer(unit + 1));
    if (unit + 2 < units) fetch_panels(layout, panels, unit + 2, buffer(unit));
    commit_copies();
    KERN_NO_UNROLL
    for (int turn = 0; turn < 2; ++turn) { // both kinds of work stand in the code once
      if ((turn == 0) == unpacks_first) {
        if (more) unpack_weights(layout, buffer(unit + 1));
      } else WarpgroupUnit<Traits>(at, buffer(unit)).add_to(results);
    }
    wait_copies<0>();
    publish_shared();
    block_barrier();
  }
  store_warpgroup_rows(call.list, call.tokens, at, first_slot + static_cast<int>(at.warpgroup * warpgroup_panels),
                       [&](int i) { return results[i / 32][i % 32]; });
}

template <class Traits>
__global__ void __launch_bounds__(2 * warpgroup_threads, 1) warpgroup_tile_product(WarpgroupTileProduct call) {
  wait_for_inputs();
  if constexpr (has_warpgroup_products) multiply_warpgroup_tile<Traits>(call);
}

} // namespace

bool launch_warpgroup_tile_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x, int tokens,
                                   Epilogue epilogue, unsigned row_tiles, std::uint32_t* expired) {
  if (find_format(parts[0].weight.format)->width == 256) {
    launch_warpgroup_block_product(device, parts, x, tokens, epilogue, row_tiles, expired);
    return true;
  }
  const WarpgroupTileProduct call{PanelList::make(parts, epilogue), x, tokens};
  // Of two warpgroups one unpacks while the other multiplies: one alone takes longer than half of their time.
  const WarpgroupGrid blocks = WarpgroupGrid::make(device.info(), call.list.slots, tokens, {0.6, 1.0}, row_tiles);
  bool launched = false;
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (has_group_of_32<Traits>()) {
      constexpr std::size_t bytes = 2 * WarpgroupLayout<Traits>::bytes() + sizeof(TilePanels);
      static_assert(bytes <= std::size_t{227} << 10);
      launch(device, warpgroup_tile_product<Traits>, blocks.grid, blocks.row_tiles * warpgroup_threads, bytes, call);
      launched = true;
    }
  });
  return launched;
}

} // namespace kern::cuda
