// Quantized weights with blocks of 256 times many tokens with sm_90a's warpgroup products, bit for bit the canonical
// arithmetic.
//
// A weight is a whole number, code times scale of its group, in one byte or two (weight_planes.h), which a thread makes
// in the registers where the tensor cores take their first operand from: no other thread needs it. So 256 columns are
// eight products for each byte, of 64 rows by 128 tokens by 32 columns, that add up exactly, and only then is there
// something to do for a sum. A block of one or two warpgroups has 64 rows a warpgroup.
//
// Three stages of 256 columns hold tokens, an operand, and weights as they lie: two are on their way while one is
// multiplied. A warp brings them with a copy for the tokens and one for each panel, 60 instructions where single pieces
// of 16 bytes would take 130 of each warp.
//
// Instructions of a warp for 256 columns as compiled for an H200: Q4_K 980, Q6_K 1010, IQ2_XXS 1580. Of them 50 to 85 a
// step to make weights of two bytes, for each of a thread's 64 sums 4 (bytes joined, conversion, scale, token's scale)
// and with minimums, which are two more products, 3. Two warps share a scheduler, whose tensor core is busy for 2048
// clocks meanwhile with two bytes, 1024 with one: K formats are bound by both alike, at up to 990 TOPS. Groups' sums
// that are scaled one by one would take 3600 instructions.
#include "kernels/cuda/shared_barrier.h"
#include "kernels/cuda/warpgroup_tile.h"
#include "kernels/cuda/weight_planes.h"

namespace kern::cuda {

namespace {

constexpr unsigned block_stages = 3;

struct WarpgroupBlockProduct {
  PanelList list;
  RoundedRows x;
  int tokens;
  std::uint32_t* expired; // wait_for_phase()
};

/// A stage in shared memory, what 256 columns need: a RoundedTile, with sums where there are minimums, then units of
/// panels. There is room for two warpgroups' rows, whether the block has one or two.
template <class Traits> struct BlockStage {
  static constexpr unsigned token_bytes = Traits::has_min ? RoundedTile::bytes : RoundedTile::sums;
  static constexpr unsigned panels = token_bytes;
  static constexpr unsigned end = panels + 2 * warpgroup_panels * Unit<Traits>::panel_bytes;
  static constexpr unsigned bytes = (end + operand_alignment - 1) / operand_alignment * operand_alignment;
};

/// What warps tell each other, behind the stages.
struct BlockControl {
  SharedBarrier full[block_stages];  // a stage's bytes have come
  SharedBarrier empty[block_stages]; // all warps are done with it
  SharedBarrier half[2];             // a warpgroup has begun the first half of a stage's products
};

using BlockSums = int[64];
using BlockResults = float[64];

/// Multiplies a stage.
template <class Traits> struct WarpgroupBlock {
  using Stage = BlockStage<Traits>;
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
        from + Stage::panels + (at.warpgroup * warpgroup_panels + (at.warp & ~1u)) * Unit<Traits>::panel_bytes;
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

  /// The products of 256 columns. While one step's are under way, the next one's weights are made. Calls half_begun()
  /// and all_begun() in between.
  template <class HalfBegun, class AllBegun>
  KERN_DEVICE void multiply(BlockSums& low, BlockSums& high, HalfBegun&& half_begun, AllBegun&& all_begun) const {
    const std::uint64_t tokens = swizzled_operand(shared_address(stage));
    Fragment weights[2][2]; // this step's and the last one's
    KERN_UNROLL
    for (int step = 0; step < 8; ++step) {
      Fragment& of_low = weights[step % 2][0];
      Fragment& of_high = weights[step % 2][1];
      make_weights(step, of_low, of_high);
      const unsigned place =
          static_cast<unsigned>(step) / 4 * RoundedTile::half_bytes + static_cast<unsigned>(step) % 4 * 32;
      begin_warpgroup_products();
      if constexpr (Planes::count == 2) {
        warpgroup_multiply_unsigned_signed(low, of_low, tokens + operand_offset(place), step > 0);
        warpgroup_multiply_bytes(high, of_high, tokens + operand_offset(place), step > 0);
      } else warpgroup_multiply_bytes(low, of_low, tokens + operand_offset(place), step > 0);
      commit_warpgroup_products();
      if (step > 0) wait_warpgroup_operands<1>(); // whose registers the next step takes
      if (step == 3) half_begun();
    }
    all_begun();
    wait_warpgroup_products<0>(low);
    if constexpr (Planes::count == 2) wait_warpgroup_products<0>(high);
  }

  /// s -= scale of minimums * exact sum of minimums and sums of 16 activations. Those are two bytes, the upper one with
  /// the sign: each is multiplied with minimums that stand where it does, and zeros elsewhere.
  KERN_DEVICE void subtract_minimums(BlockSums& sums, BlockResults& s) const {
    const std::uint64_t tokens = plain_operand(shared_address(stage + RoundedTile::sums));
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

  /// The stage is no longer needed afterwards.
  template <class HalfBegun, class AllBegun>
  KERN_DEVICE void add_to(BlockResults& results, HalfBegun&& half_begun, AllBegun&& all_begun) const {
    BlockSums low, high;
    multiply(low, high, half_begun, all_begun);
    const float scale[2] = {rows[0].block_scale(), rows[1].block_scale()};
    BlockResults s;
    KERN_UNROLL
    for (int i = 0; i < 64; ++i) {
      const int sum = Planes::count == 2 ? low[i] + high[i] * 256 : low[i];
      s[i] = static_cast<float>(Planes::negated ? -sum : sum) * scale[i % 4 / 2];
    }
    if constexpr (Traits::has_min) subtract_minimums(high, s);
    const auto* token_scales = reinterpret_cast<const float*>(stage + RoundedTile::scales) + lane_of_row * 4;
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

/// The block's walk along k.
template <class Traits> struct BlockWalk {
  using Stage = BlockStage<Traits>;

  const WarpgroupBlockProduct& call;
  const WarpgroupPlace at;
  const unsigned warpgroups; // of the block
  const int first_slot;
  unsigned char* stages;
  BlockControl& control;

  /// Ends with a barrier.
  KERN_DEVICE explicit BlockWalk(const WarpgroupBlockProduct& product)
      : call(product), warpgroups(static_cast<unsigned>(block_threads()) / warpgroup_threads),
        first_slot(block_y() * static_cast<int>(warpgroups * warpgroup_panels)),
        stages(&shared_memory<unsigned char>()),
        control(*reinterpret_cast<BlockControl*>(stages + block_stages * Stage::bytes)) {
    if (thread_index() == 0) {
      for (unsigned i = 0; i < block_stages; ++i) {
        init_barrier(control.full[i], 1);
        init_barrier(control.empty[i], warpgroups * 4);
      }
      for (unsigned i = 0; i < 2; ++i) init_barrier(control.half[i], 4);
    }
    publish_shared();
    block_barrier();
  }

  KERN_DEVICE void wait(SharedBarrier& barrier, int phase) const {
    wait_for_phase(barrier, static_cast<unsigned>(phase & 1), call.expired);
  }
  /// By one of the warp's lanes, when all of them are there.
  KERN_DEVICE void arrive_as_warp(SharedBarrier& barrier) const {
    warp_barrier();
    if (at.lane == 0) arrive(barrier);
  }

  /// Brings a unit of the tokens and of each panel, by one warp, a lane each.
  KERN_DEVICE void fetch(int unit) const {
    if (unit >= call.x.units) return;
    const unsigned slot = static_cast<unsigned>(unit) % block_stages;
    const int round = unit / static_cast<int>(block_stages);
    const unsigned panels = warpgroups * warpgroup_panels;
    constexpr unsigned panel_bytes = Unit<Traits>::panel_bytes;
    if (at.lane == 0) {
      if (round > 0) wait(control.empty[slot], round - 1);
      arrive_expecting(control.full[slot], Stage::token_bytes + panels * panel_bytes);
    }
    warp_barrier();
    unsigned char* stage = stages + slot * Stage::bytes;
    if (at.lane == 0) copy_bulk(stage, call.x.tile(block_x(), unit), Stage::token_bytes, control.full[slot]);
    if (at.lane >= panels) return;
    const PanelPlace place = call.list.place_within(first_slot + static_cast<int>(at.lane));
    const std::size_t index =
        static_cast<std::size_t>(place.panel) * static_cast<std::size_t>(call.x.units) + static_cast<std::size_t>(unit);
    copy_bulk(stage + Stage::panels + at.lane * panel_bytes, call.list.parts[place.part].weights + index * panel_bytes,
              panel_bytes, control.full[slot]);
  }

  /// Two warpgroups take turns: each begins a stage when the other has begun half of it, or of the one before. So one
  /// has products under way while the other scales its sums.
  KERN_DEVICE void wait_for_turn(int unit) const {
    if (warpgroups == 1) return;
    const int others = at.warpgroup == 0 ? unit - 1 : unit;
    if (others >= 0) wait(control.half[1 - at.warpgroup], others);
  }

  KERN_DEVICE void multiply(BlockResults& results) const {
    const bool fetches = thread_index() / 32 == 0;
    if (fetches) fetch(0);
    if (fetches) fetch(1);
    unsigned slot = 0;
    int round = 0;
    KERN_NO_UNROLL
    for (int unit = 0; unit < call.x.units; ++unit) {
      wait_for_turn(unit);
      wait(control.full[slot], round);
      WarpgroupBlock<Traits>(at, stages + slot * Stage::bytes)
          .add_to(
              results,
              [&] {
                if (warpgroups == 2) arrive_as_warp(control.half[at.warpgroup]);
              },
              [&] {
                if (fetches) fetch(unit + 2); // where the other warpgroup is done with the unit before
              });
      arrive_as_warp(control.empty[slot]);
      if (++slot < block_stages) continue;
      slot = 0;
      ++round;
    }
  }
};

template <class Traits> KERN_DEVICE void multiply_warpgroup_blocks(const WarpgroupBlockProduct& call) {
  const BlockWalk<Traits> walk(call);
  BlockResults results = {};
  walk.multiply(results);
  store_warpgroup_rows(call.list, call.tokens, walk.at,
                       walk.first_slot + static_cast<int>(walk.at.warpgroup * warpgroup_panels),
                       [&](int i) { return results[i]; });
}

template <class Traits>
__global__ void __launch_bounds__(2 * warpgroup_threads, 1) warpgroup_block_product(WarpgroupBlockProduct call) {
  wait_for_inputs();
  if constexpr (has_warpgroup_products) multiply_warpgroup_blocks<Traits>(call);
}

} // namespace

void launch_warpgroup_block_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x,
                                    int tokens, Epilogue epilogue, unsigned row_tiles, std::uint32_t* expired) {
  const WarpgroupBlockProduct call{PanelList::make(parts, epilogue), x, tokens, expired};
  // Of two warpgroups one makes weights or scales sums while the other's products are under way.
  const WarpgroupGrid blocks = WarpgroupGrid::make(device.info(), call.list.slots, tokens, {0.6, 1.0}, row_tiles);
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float && has_whole_scales<Traits>) {
      constexpr std::size_t bytes = block_stages * BlockStage<Traits>::bytes + sizeof(BlockControl);
      static_assert(bytes <= std::size_t{227} << 10);
      launch(device, warpgroup_block_product<Traits>, blocks.grid, blocks.row_tiles * warpgroup_threads, bytes, call);
    }
  });
}

} // namespace kern::cuda
