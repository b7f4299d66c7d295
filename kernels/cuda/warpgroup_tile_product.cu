// Quantized weights times many tokens with sm_90a's warpgroup products, bit for bit the canonical arithmetic.
//
// A block of one or two warpgroups has a tile of 64 rows a warpgroup by 128 tokens and walks along k in units of 256
// columns. A thread makes signed bytes of its weights in the registers where the tensor cores take their first operand
// from: no other thread needs them. Three stages in shared memory hold tokens, an operand, and weights as they lie: two
// are on their way while one is multiplied. A warp brings them with a copy for the tokens and one for each panel, 60
// instructions where single pieces of 16 bytes would take 130 of each warp.
//
// With blocks of 256 a weight is a whole number, code times scale of its group, in one byte or two (weight_planes.h):
// 256 columns are eight products for each byte, of 64 rows by 128 tokens by 32 columns, that add up exactly, and only
// then is there something to do for a sum. With narrow roundings each product of 32 columns is scaled; it has one of
// two sets of sums, while the tensor cores make the other. Groups of 16 columns are two products with zeros in between.
//
// Instructions of a warp for 256 columns as compiled for an H200: Q4_K 980, Q6_K 1010, IQ2_XXS 1580, Q8_0 1800, Q4_1
// 2580. Of them 50 to 85 a step to make weights of two bytes, and with blocks of 256 for each of a thread's 64 sums 4
// (bytes joined, conversion, scale, token's scale) and with minimums, which are two more products, 3; with narrow
// roundings 3 a sum and step, or 4. Two warps share a scheduler, whose tensor core is busy for 2048 clocks meanwhile
// with two bytes, 1024 with one: K formats are bound by both alike, at up to 990 TOPS, Q8_0 by instructions, at 540.
// (Scaling groups of K formats one by one, with weights unpacked to shared memory, would take 1800.)
#include <type_traits>

#include "kernels/cuda/shared_barrier.h"
#include "kernels/cuda/tile_unit.h"
#include "kernels/cuda/warpgroup_tile.h"

namespace kern::cuda {

namespace {

constexpr unsigned product_stages = 3;

struct WarpgroupTileProduct {
  PanelList list;
  RoundedRows x;
  int tokens;
  std::uint32_t* expired; // wait_for_phase()
};

/// A stage in shared memory, what 256 columns need: a RoundedTile, with sums where there are minimums, then units of
/// panels. There is room for two warpgroups' rows, whether the block has one or two.
template <class Traits> struct ProductStage {
  using Tile = RoundedTile<Unit<Traits>::rounding>;
  static constexpr unsigned token_bytes = Traits::has_min ? Tile::bytes : Tile::sums;
  static constexpr unsigned panels = token_bytes;
  static constexpr unsigned end = panels + 2 * warpgroup_panels * Unit<Traits>::panel_bytes;
  static constexpr unsigned bytes = (end + operand_alignment - 1) / operand_alignment * operand_alignment;
};

/// What warps tell each other, behind the stages.
struct ProductControl {
  SharedBarrier full[product_stages];  // a stage's bytes have come
  SharedBarrier empty[product_stages]; // all warps are done with it
  SharedBarrier half[2];               // a warpgroup has begun the first half of a stage's products
};

/// A thread's part of its warpgroup's product of 32 columns or more, and what becomes of it.
using GroupSums = int[64];
using GroupResults = float[64];
using Fragment = std::uint32_t[4]; // a thread's weights of 32 columns: see warpgroup_multiply_bytes()

/// What a thread needs of a stage.
template <class Traits> struct StagePart {
  using Stage = ProductStage<Traits>;
  using Tile = typename Stage::Tile;
  using Codec = UnitCodec<Traits, SharedWords<Traits>>;

  const unsigned char* stage;
  int lane;      // of the four that share rows
  Codec rows[2]; // the thread's, eight apart in the operand: equal rows of two panels

  KERN_DEVICE StagePart(const WarpgroupPlace& at, const unsigned char* from)
      : stage(from), lane(static_cast<int>(at.lane % 4)) {
    const unsigned row = at.warp % 2 * 8 + at.lane / 4;
    const unsigned char* panel =
        from + Stage::panels + (at.warpgroup * warpgroup_panels + (at.warp & ~1u)) * Unit<Traits>::panel_bytes;
    rows[0].words = SharedWords<Traits>{panel, row};
    rows[1].words = SharedWords<Traits>{panel + Unit<Traits>::panel_bytes, row};
  }

  /// Tokens' codes of 32 columns.
  KERN_DEVICE std::uint64_t tokens(int step) const {
    const auto of_half = static_cast<unsigned>(step) % 4 * 32;
    return swizzled_operand(shared_address(stage)) +
           operand_offset(static_cast<unsigned>(step) / 4 * Tile::half_bytes + of_half);
  }
  /// Of an array with a float for each token and rounding: those of 16 tokens' that are the thread's.
  KERN_DEVICE float4 token_four(unsigned array, int rounding, int sixteen) const {
    const auto place = static_cast<unsigned>(rounding) * Tile::tokens + static_cast<unsigned>(sixteen * 16 + lane * 4);
    return *reinterpret_cast<const float4*>(stage + array + place * 4);
  }
  /// result = fma(s, token's scale, result); s of 16 tokens
  KERN_DEVICE void scale_by_tokens(int rounding, int sixteen, const float* s, GroupResults& results) const {
    const float4 four = token_four(Tile::scales, rounding, sixteen);
    const float token_scale[4] = {four.x, four.y, four.z, four.w};
    KERN_UNROLL
    for (int i = 0; i < 8; ++i) {
      float& result = results[sixteen * 8 + i];
      result = fused(s[i], token_scale[i / 4 * 2 + i % 2], result);
    }
  }
};

/// Multiplies a stage of blocks of 256.
template <class Traits> struct BlockProduct : StagePart<Traits> {
  using Planes = WeightPlanes<Traits>;
  using Part = StagePart<Traits>;
  using Part::lane, Part::rows, Part::stage;
  using Part::Part;

  /// Weights of 32 columns.
  KERN_DEVICE void make_weights(int step, Fragment& low, Fragment& high) const {
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) {
      const auto& codec = rows[i % 2];
      const int half = i / 2;
      const typename Planes::Scale scale(codec.whole_scale((step * 32 + half * 16) / Traits::group));
      const Planes planes(codec.codes(step, half, lane), scale);
      low[i] = planes.low;
      high[i] = planes.high;
    }
  }

  /// The products of 256 columns. While one step's are under way, the next one's weights are made. Calls half_begun()
  /// and all_begun() in between.
  template <class HalfBegun, class AllBegun>
  KERN_DEVICE void multiply(GroupSums& low, GroupSums& high, HalfBegun&& half_begun, AllBegun&& all_begun) const {
    Fragment weights[2][2]; // this step's and the last one's
    KERN_UNROLL
    for (int step = 0; step < 8; ++step) {
      Fragment& of_low = weights[step % 2][0];
      Fragment& of_high = weights[step % 2][1];
      make_weights(step, of_low, of_high);
      const std::uint64_t tokens = this->tokens(step);
      begin_warpgroup_products();
      if constexpr (Planes::count == 2) {
        warpgroup_multiply_unsigned_signed(low, of_low, tokens, step > 0);
        warpgroup_multiply_bytes(high, of_high, tokens, step > 0);
      } else warpgroup_multiply_bytes(low, of_low, tokens, step > 0);
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
  KERN_DEVICE void subtract_minimums(GroupSums& sums, GroupResults& s) const {
    const std::uint64_t tokens = plain_operand(shared_address(stage + Part::Tile::sums));
    Fragment lower, upper;
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) {
      lower[i] = rows[i % 2].minimums(i / 2, lane);
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
  KERN_DEVICE void add_to(GroupResults& results, HalfBegun&& half_begun, AllBegun&& all_begun) const {
    GroupSums low, high;
    multiply(low, high, half_begun, all_begun);
    const float scale[2] = {rows[0].block_scale(), rows[1].block_scale()};
    GroupResults s;
    KERN_UNROLL
    for (int i = 0; i < 64; ++i) {
      const int sum = Planes::count == 2 ? low[i] + high[i] * 256 : low[i];
      s[i] = static_cast<float>(Planes::negated ? -sum : sum) * scale[i % 4 / 2];
    }
    if constexpr (Traits::has_min) subtract_minimums(high, s);
    KERN_UNROLL
    for (int sixteen = 0; sixteen < 8; ++sixteen) this->scale_by_tokens(0, sixteen, s + sixteen * 8, results);
  }
};

/// Multiplies a stage of narrow roundings.
template <class Traits> struct NarrowProduct : StagePart<Traits> {
  using Part = StagePart<Traits>;
  using Part::lane, Part::rows;
  using Part::Part;
  static constexpr bool halves = Traits::group == 16;

  /// Weights of 32 columns, or of the first or the second 16 of them and zeros.
  KERN_DEVICE void make_weights(int step, Fragment& weights) const {
    KERN_UNROLL
    for (int i = 0; i < 4; ++i) weights[i] = signed_bytes<Part::Codec::offset>(rows[i % 2].codes(step, i / 2, lane));
  }
  KERN_DEVICE void make_half(int step, int half, Fragment& weights) const {
    KERN_UNROLL
    for (int i = 0; i < 4; ++i)
      weights[i] = i / 2 == half ? signed_bytes<Part::Codec::offset>(rows[i % 2].codes(step, half, lane)) : 0;
  }

  /// result = fma(sum * scale, token's scale, result)
  KERN_DEVICE void add(int step, const GroupSums& sums, GroupResults& results) const {
    const float scale[2] = {rows[0].scale(step), rows[1].scale(step)};
    KERN_UNROLL
    for (int sixteen = 0; sixteen < 8; ++sixteen) {
      float s[8];
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) s[i] = static_cast<float>(sums[sixteen * 8 + i]) * scale[i % 4 / 2];
      if constexpr (Traits::has_min) subtract_minimums(step, sixteen, s);
      this->scale_by_tokens(step, sixteen, s, results);
    }
  }
  KERN_DEVICE void subtract_minimums(int step, int sixteen, float (&s)[8]) const {
    const float scale[2] = {rows[0].min_scale(step), rows[1].min_scale(step)};
    const float4 four = this->token_four(Part::Tile::sums, step, sixteen);
    const float added[4] = {four.x, four.y, four.z, four.w};
    KERN_UNROLL
    for (int i = 0; i < 8; ++i) s[i] = fused(added[i / 4 * 2 + i % 2], scale[i % 4 / 2], s[i]);
  }
  /// The same of two groups: s = fma(second sum, its scale, first sum * its scale).
  KERN_DEVICE void add_halves(int step, const GroupSums (&sums)[2], GroupResults& results) const {
    const float first[2] = {rows[0].scale(step * 2), rows[1].scale(step * 2)};
    const float second[2] = {rows[0].scale(step * 2 + 1), rows[1].scale(step * 2 + 1)};
    KERN_UNROLL
    for (int sixteen = 0; sixteen < 8; ++sixteen) {
      float s[8];
      KERN_UNROLL
      for (int i = 0; i < 8; ++i) {
        const int at = sixteen * 8 + i;
        s[i] = fused(static_cast<float>(sums[1][at]), second[i % 4 / 2],
                     static_cast<float>(sums[0][at]) * first[i % 4 / 2]);
      }
      this->scale_by_tokens(step, sixteen, s, results);
    }
  }

  /// One step's products are under way while the last one's sums are scaled; unrolled, because the compiler lets no
  /// product be under way from one round of a loop to the next.
  template <class HalfBegun, class AllBegun>
  KERN_DEVICE void add_to(GroupResults& results, HalfBegun&& half_begun, AllBegun&& all_begun) const {
    GroupSums sums[2];
    Fragment weights[2];
    KERN_UNROLL
    for (int step = 0; step < 8; ++step) {
      if constexpr (halves) {
        make_half(step, 0, weights[0]);
        make_half(step, 1, weights[1]);
        begin_warpgroup_products();
        warpgroup_multiply_bytes(sums[0], weights[0], this->tokens(step), false);
        warpgroup_multiply_bytes(sums[1], weights[1], this->tokens(step), false);
        commit_warpgroup_products();
        wait_warpgroup_products<0>(sums[0]);
        wait_warpgroup_products<0>(sums[1]);
        add_halves(step, sums, results);
      } else {
        make_weights(step, weights[step % 2]);
        begin_warpgroup_products();
        warpgroup_multiply_bytes(sums[step % 2], weights[step % 2], this->tokens(step), false);
        commit_warpgroup_products();
        if (step > 0) {
          wait_warpgroup_products<1>(sums[1 - step % 2]);
          add(step - 1, sums[1 - step % 2], results);
        }
      }
      if (step == 3) half_begun();
    }
    all_begun();
    if constexpr (!halves) {
      wait_warpgroup_products<0>(sums[1]);
      add(7, sums[1], results);
    }
  }
};

template <class Traits>
using StageProduct = std::conditional_t<has_whole_scales<Traits>, BlockProduct<Traits>, NarrowProduct<Traits>>;

/// The block's walk along k.
template <class Traits> struct StageWalk {
  using Stage = ProductStage<Traits>;

  const WarpgroupTileProduct& call;
  const WarpgroupPlace at;
  const unsigned warpgroups; // of the block
  const int first_slot;
  unsigned char* stages;
  ProductControl& control;

  /// Ends with a barrier.
  KERN_DEVICE explicit StageWalk(const WarpgroupTileProduct& product)
      : call(product), warpgroups(static_cast<unsigned>(block_threads()) / warpgroup_threads),
        first_slot(block_y() * static_cast<int>(warpgroups * warpgroup_panels)),
        stages(&shared_memory<unsigned char>()),
        control(*reinterpret_cast<ProductControl*>(stages + product_stages * Stage::bytes)) {
    if (thread_index() == 0) {
      for (unsigned i = 0; i < product_stages; ++i) {
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

  static constexpr unsigned panel_bytes = Unit<Traits>::panel_bytes;

  /// Brings a unit of each panel, by one warp, a lane each; the stage expects the tokens too.
  KERN_DEVICE void fetch_panels(int unit) const {
    if (unit >= call.x.units) return;
    const unsigned slot = static_cast<unsigned>(unit) % product_stages;
    const int round = unit / static_cast<int>(product_stages);
    const unsigned panels = warpgroups * warpgroup_panels;
    if (at.lane == 0) {
      if (round > 0) wait(control.empty[slot], round - 1);
      arrive_expecting(control.full[slot], Stage::token_bytes + panels * panel_bytes);
    }
    warp_barrier();
    if (at.lane >= panels) return;
    const PanelPlace place = call.list.place_within(first_slot + static_cast<int>(at.lane));
    const std::size_t index =
        static_cast<std::size_t>(place.panel) * static_cast<std::size_t>(call.x.units) + static_cast<std::size_t>(unit);
    copy_bulk(stages + slot * Stage::bytes + Stage::panels + at.lane * panel_bytes,
              call.list.parts[place.part].weights + index * panel_bytes, panel_bytes, control.full[slot]);
  }
  /// Afterwards, a unit of the tokens.
  KERN_DEVICE void fetch_tokens(int unit) const {
    if (unit >= call.x.units || at.lane != 0) return;
    const unsigned slot = static_cast<unsigned>(unit) % product_stages;
    copy_bulk(stages + slot * Stage::bytes, call.x.tile<Unit<Traits>::rounding>(block_x(), unit), Stage::token_bytes,
              control.full[slot]);
  }

  /// Two warpgroups take turns: each begins a stage when the other has begun half of it, or of the one before. So one
  /// has products under way while the other scales its sums.
  KERN_DEVICE void wait_for_turn(int unit) const {
    if (warpgroups == 1) return;
    const int others = at.warpgroup == 0 ? unit - 1 : unit;
    if (others >= 0) wait(control.half[1 - at.warpgroup], others);
  }

  KERN_DEVICE void multiply(GroupResults& results) const {
    const bool fetches = thread_index() / 32 == 0;
    if (fetches) {
      fetch_panels(0);
      fetch_panels(1);
    }
    wait_for_inputs(); // weights are none
    if (fetches) {
      fetch_tokens(0);
      fetch_tokens(1);
    }
    unsigned slot = 0;
    int round = 0;
    KERN_NO_UNROLL
    for (int unit = 0; unit < call.x.units; ++unit) {
      wait_for_turn(unit);
      wait(control.full[slot], round);
      StageProduct<Traits>(at, stages + slot * Stage::bytes)
          .add_to(
              results,
              [&] {
                if (warpgroups == 2) arrive_as_warp(control.half[at.warpgroup]);
              },
              [&] {
                if (!fetches) return;
                fetch_panels(unit + 2); // where the other warpgroup is done with the unit before
                fetch_tokens(unit + 2);
              });
      arrive_as_warp(control.empty[slot]);
      if (++slot < product_stages) continue;
      slot = 0;
      ++round;
    }
  }
};

template <class Traits> KERN_DEVICE void multiply_warpgroup_tile(const WarpgroupTileProduct& call) {
  const StageWalk<Traits> walk(call);
  GroupResults results = {};
  walk.multiply(results);
  store_warpgroup_rows(call.list, call.tokens, walk.at,
                       walk.first_slot + static_cast<int>(walk.at.warpgroup * warpgroup_panels),
                       [&](int i) { return results[i]; });
}

template <class Traits>
__global__ void __launch_bounds__(2 * warpgroup_threads, 1) warpgroup_tile_product(WarpgroupTileProduct call) {
  if constexpr (has_warpgroup_products) multiply_warpgroup_tile<Traits>(call);
  else wait_for_inputs();
}

} // namespace

void launch_warpgroup_tile_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x, int tokens,
                                   Epilogue epilogue, const WarpgroupOptions& options) {
  const WarpgroupTileProduct call{PanelList::make(parts, epilogue), x, tokens, options.expired};
  // Of two warpgroups one makes weights or scales sums while the other's products are under way.
  const WarpgroupGrid blocks =
      WarpgroupGrid::make(device.info(), call.list.slots, tokens, {0.6, 1.0}, options.row_tiles);
  visit_format(parts[0].weight.format, [&]<class Traits>(Traits) {
    if constexpr (!Traits::is_float) {
      constexpr std::size_t bytes = product_stages * ProductStage<Traits>::bytes + sizeof(ProductControl);
      static_assert(bytes <= std::size_t{227} << 10);
      launch(device, warpgroup_tile_product<Traits>, blocks.grid, blocks.row_tiles * warpgroup_threads, bytes, call);
    }
  });
}

} // namespace kern::cuda
