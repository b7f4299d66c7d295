// Quantized weights with blocks of 256 times many tokens with sm_90a's warpgroup products, bit for bit the canonical
// arithmetic.
//
// A weight is a whole number, code times scale of its group, in one byte or two (weight_planes.h), which a thread makes
// in the registers where the tensor cores take their first operand from: no other thread needs it. So 256 columns are
// eight products for each byte, of 64 rows by 128 tokens by 32 columns, that add up exactly, and only then is there
// something to do for a sum. A block of one or two warpgroups has 64 rows a warpgroup. Three stages of 256 columns
// hold tokens, an operand, and weights as they lie: two are on their way while one is multiplied.
//
// Instructions on an H200, of a warp for 256 columns: to make weights about 9 for each 4 of a byte's kind and two more
// where there are two, 500 to 700 in all; for each of a thread's 64 sums 3 (bytes joined, conversion, scale), 1
// (token's scale), and with minimums 4, which are two more products: 260 to 500. Two warps share a scheduler, whose
// tensor core is busy for 2048 clocks with two bytes, 1024 with one: two bytes are bound by the tensor cores, 990 TOPS.
// Groups' sums that are scaled one by one would take 3600 instructions.
#include "kernels/cuda/warpgroup_fetch.h"

namespace kern::cuda {

namespace {

constexpr unsigned block_stages = 3;

struct WarpgroupBlockProduct {
  PanelList list;
  RoundedRows x;
  int tokens;
};

/// A stage in shared memory: what 256 columns need. There is room for two warpgroups' rows, whether the block has one
/// or two.
template <class Traits> struct BlockLayout {
  using Format = Traits;
  unsigned warpgroups; // of the block

  KERN_INLINE static constexpr unsigned tokens() { return warpgroup_tokens; }
  KERN_INLINE constexpr unsigned rows() const { return warpgroups * warpgroup_rows; }
  KERN_INLINE constexpr unsigned threads() const { return warpgroups * warpgroup_threads; }

  /// Swizzled operands, of 128 columns each
  KERN_INLINE static constexpr unsigned token_half() { return tokens() * operand_row_bytes; }
  /// A plain operand, int16 [tokens][16], where there are minimums
  KERN_INLINE static constexpr unsigned sums() { return 2 * token_half(); }
  /// float [tokens], in the order of warpgroup_token_place()
  KERN_INLINE static constexpr unsigned token_scales() { return sums() + (Traits::has_min ? tokens() * 32 : 0); }
  /// [panels][panel_bytes]
  KERN_INLINE static constexpr unsigned raw() { return token_scales() + tokens() * 4; }
  KERN_INLINE static constexpr unsigned bytes() {
    const unsigned end = raw() + 2 * warpgroup_panels * Unit<Traits>::panel_bytes;
    return (end + operand_alignment - 1) / operand_alignment * operand_alignment;
  }

  KERN_INLINE static constexpr unsigned token_code(unsigned token, unsigned piece) {
    return piece / 8 * token_half() + swizzled_place(token, piece);
  }
  KERN_INLINE static constexpr unsigned token_sums(unsigned token, unsigned piece) {
    return sums() + plain_place(token, piece);
  }
  KERN_INLINE static constexpr unsigned token_place(unsigned token) { return warpgroup_token_place(token); }
};

using BlockSums = int[64];
using BlockResults = float[64];

/// Multiplies a stage.
template <class Traits> struct WarpgroupBlock {
  using Layout = BlockLayout<Traits>;
  using Planes = WeightPlanes<Traits>;
  using Codec = UnitCodec<Traits, SharedWords<Traits>>;
  using Fragment = std::uint32_t[4];

  const unsigned char* stage;
  int lane_of_row; // of four
  Codec rows[2];   // the thread's, eight apart in the operand: equal rows of two panels

  KERN_DEVICE WarpgroupBlock(const WarpgroupPlace& at, const unsigned char* from)
      : stage(from), lane_of_row(static_cast<int>(at.lane % 4)) {
    const unsigned row = at.warp % 2 * 8 + at.lane / 4;
    const unsigned char* panel =
        from + Layout::raw() + (at.warpgroup * warpgroup_panels + (at.warp & ~1u)) * Unit<Traits>::panel_bytes;
    rows[0].words = SharedWords<Traits>{panel, row};
    rows[1].words = SharedWords<Traits>{panel + Unit<Traits>::panel_bytes, row};
  }

  /// Weights of 32 columns.
  KERN_DEVICE void make_weights(int step, Fragment& low, Fragment& high) const {
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Codec& codec = rows[i % 2];
      const int half = i / 2;
      const typename Planes::Scale scale(codec.whole_scale((step * 32 + half * 16) / Traits::group));
      const Planes planes(codec.codes(step, half, lane_of_row), scale);
      low[i] = planes.low;
      high[i] = planes.high;
    }
  }

  /// The products of 256 columns. While one step's are under way, the next one's weights are made.
  KERN_DEVICE void multiply(BlockSums& low, BlockSums& high) const {
    const std::uint64_t tokens = swizzled_operand(shared_address(stage));
    Fragment weights[2][2]; // this step's and the last one's
    KERN_UNROLL
    for (int step = 0; step < 8; ++step) {
      Fragment& of_low = weights[step % 2][0];
      Fragment& of_high = weights[step % 2][1];
      make_weights(step, of_low, of_high);
      const unsigned place =
          static_cast<unsigned>(step) / 4 * Layout::token_half() + static_cast<unsigned>(step) % 4 * 32;
      begin_warpgroup_products();
      if constexpr (Planes::count == 2) {
        warpgroup_multiply_unsigned_signed(low, of_low, tokens + operand_offset(place), step > 0);
        warpgroup_multiply_bytes(high, of_high, tokens + operand_offset(place), step > 0);
      } else warpgroup_multiply_bytes(low, of_low, tokens + operand_offset(place), step > 0);
      commit_warpgroup_products();
      if (step > 0) wait_warpgroup_operands<1>(); // whose registers the next step takes
    }
    wait_warpgroup_products<0>(low);
    if constexpr (Planes::count == 2) wait_warpgroup_products<0>(high);
  }

  /// s -= scale of minimums * exact sum of minimums and sums of 16 activations. Those are two bytes, the upper one with
  /// the sign: each is multiplied with minimums that stand where it does, and zeros elsewhere.
  KERN_DEVICE void subtract_minimums(BlockSums& sums, BlockResults& s) const {
    const std::uint64_t tokens = plain_operand(shared_address(stage + Layout::sums()));
    Fragment lower, upper;
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) {
      lower[i] = rows[i % 2].minimums(i / 2, lane_of_row);
      upper[i] = lower[i] << 8;
    }
    begin_warpgroup_products();
    warpgroup_multiply_bytes(sums, upper, tokens, false);
    commit_warpgroup_products();
    wait_warpgroup_products<0>(sums);
    KERN_UNROLL
    for (int i = 0; i < 64; ++i) sums[i] *= 256;
    begin_warpgroup_products();
    warpgroup_multiply_unsigned(sums, lower, tokens, true);
    commit_warpgroup_products();
    wait_warpgroup_products<0>(sums);
    const float scale[2] = {rows[0].min_scale(0), rows[1].min_scale(0)};
    KERN_UNROLL
    for (int i = 0; i < 64; ++i) s[i] = fused(-static_cast<float>(sums[i]), scale[i % 4 / 2], s[i]);
  }

  KERN_DEVICE void add_to(BlockResults& results) const {
    BlockSums low, high;
    multiply(low, high);
    const float scale[2] = {rows[0].block_scale(), rows[1].block_scale()};
    BlockResults s;
    KERN_UNROLL
    for (int i = 0; i < 64; ++i) {
      const int sum = Planes::count == 2 ? low[i] + high[i] * 256 : low[i];
      s[i] = static_cast<float>(Planes::negated ? -sum : sum) * scale[i % 4 / 2];
    }
    if constexpr (Traits::has_min) subtract_minimums(high, s);
    const auto* token_scales = reinterpret_cast<const float*>(stage + Layout::token_scales()) + lane_of_row * 4;
    KERN_UNROLL
    for (int eights = 0; eights < 8; ++eights) {
      const float4 four = *reinterpret_cast<const float4*>(token_scales + eights * 16);
      const float token_scale[4] = {four.x, four.y, four.z, four.w};
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) {
        float& result = results[eights * 8 + i];
        result = fused(s[eights * 8 + i], token_scale[i / 4 * 2 + i % 2], result);
      }
    }
  }
};

template <class Traits> KERN_DEVICE void multiply_warpgroup_blocks(const WarpgroupBlockProduct& call) {
  using Layout = BlockLayout<Traits>;
  const WarpgroupPlace at;
  const Layout layout{static_cast<unsigned>(block_threads()) / warpgroup_threads};
  const int first_slot = block_y() * static_cast<int>(layout.warpgroups * warpgroup_panels);
  const TileTokens tile{call.x, call.tokens, at.first_token};
  const WarpgroupTokens<Layout> tokens{layout, tile};
  const int units = call.x.units;
  unsigned char* memory = &shared_memory<unsigned char>();
  auto& panels = *reinterpret_cast<TilePanels*>(memory + block_stages * Layout::bytes());
  panels.find(layout, call.list, first_slot, units);
  block_barrier();
  const auto fetch = [&](int unit, unsigned char* stage) {
    if (unit < units) {
      tokens.fetch(unit, stage);
      fetch_panels(layout, panels, unit, stage);
    }
    commit_copies(); // known by the call
  };
  fetch(0, memory);
  fetch(1, memory + Layout::bytes());
  BlockResults results = {};
  unsigned char* stage = memory;
  unsigned char* last = memory + 2 * Layout::bytes();
  KERN_NO_UNROLL
  for (int unit = 0; unit < units; ++unit) {
    wait_copies<1>(); // those of this unit have come
    publish_shared();
    block_barrier(); // and all are done with the one before
    fetch(unit + 2, last);
    WarpgroupBlock<Traits>(at, stage).add_to(results);
    last = stage;
    stage = stage == memory + (block_stages - 1) * Layout::bytes() ? memory : stage + Layout::bytes();
  }
  wait_copies<0>();
  store_warpgroup_rows(call.list, call.tokens, at, first_slot + static_cast<int>(at.warpgroup * warpgroup_panels),
                       [&](int i) { return results[i]; });
}

template <class Traits>
__global__ void __launch_bounds__(2 * warpgroup_threads, 1) warpgroup_block_product(WarpgroupBlockProduct call) {
  wait_for_inputs();
  if constexpr (has_warpgroup_products) multiply_warpgroup_blocks<Traits>(call);
}

} // namespace

void launch_warpgroup_block_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x,
                                    int tokens, Epilogue epilogue, unsigned row_tiles) {
  const WarpgroupBlockProduct call{PanelList::make(parts, epilogue), x, tokens};
  // Of two warpgroups one makes weights or scales sums while the other's products are under way.
  const WarpgroupGrid blocks = WarpgroupGrid::make(device.info(), call.list.slots, tokens, {0.6, 1.0}, row_tiles);
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float && has_whole_scales<Traits>) {
      constexpr std::size_t bytes = block_stages * BlockLayout<Traits>::bytes() + sizeof(TilePanels);
      static_assert(bytes <= std::size_t{227} << 10);
      launch(device, warpgroup_block_product<Traits>, blocks.grid, blocks.row_tiles * warpgroup_threads, bytes, call);
    }
  });
}

} // namespace kern::cuda
