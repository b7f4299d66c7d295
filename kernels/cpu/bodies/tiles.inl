// Tiles of rounded activations: up to tile_tokens tokens, interleaved so that the same few codes of all tokens are
// neighbours: four, each broadcast from memory into a product, eight of two tokens that make a matrix, or a row of a
// tile register.

/// Tokens of tile `index` when `rows` tokens are cut into tiles.
KERN_INLINE int tokens_of_tile(int rows, int index) {
  const int left = rows - index * tile_tokens;
  return left < tile_tokens ? left : tile_tokens;
}

/// One tile, from some k on.
struct TileChunk {
  const std::int32_t* codes;       // [k / run][T][run / 4]: four codes each; run: tile_run
  const float* scales;             // [k / rounding block][T]
  const std::int32_t* corrections; // [corrections of k][T], see below
};

/// Activations are rounded in blocks of 32, or of 256 for formats with blocks of 256.
template <class Traits> constexpr int rounding_block = Traits::width == 256 ? 256 : 32;
template <class Traits> constexpr int rounding_groups = rounding_block<Traits> / Traits::group;

/// Whether groups have scales that are whole numbers, so that their sums add up exactly.
template <class Traits> constexpr bool sums_whole = has_whole_scales<Traits>&& rounding_groups<Traits> > 1;

/// Tile registers add blocks of 256 columns up in planes of bytes, see plane_product_amx.inl.
template <class Traits> constexpr bool in_planes = has_planes&& rounding_block<Traits> == 256;
constexpr int plane_bits = 7;       // of a signed code times its scale that are in the low plane
constexpr int plane_scale_bits = 3; // of an unsigned code's scale
/// Planes that a code times its scale takes: TQ1_0, TQ2_0 and Q2_K fit one byte.
template <class Traits>
constexpr int planes_of = Traits::group == 256 || (Traits::has_min && PanelCodec<Traits>::max_code <= 3) ? 1 : 2;
constexpr int plane_minimums = 16; // of a block, zeros behind the groups

/// Codes above 127 that the instruction set takes as signed need no correction.
template <class Traits>
constexpr bool has_bias = !Traits::has_min && !signed_panels && !(PanelCodec<Traits>::max_code > 127 && wide_is_signed);

/// Whether tiles multiply runs by whole scales; then the codes' bias meets those apart.
template <class Traits>
constexpr bool in_scaled_runs = sums_whole<Traits> && !signed_panels && scales_runs(PanelCodec<Traits>::max_code);
template <class Traits> constexpr bool halves_bias = in_scaled_runs<Traits>&& has_bias<Traits>;

/// Corrections for each rounding block. Without minimums one a group: minus the codes' bias times the sum of the
/// group's activations, where a product's sum starts; with scaled runs two 16-bit numbers of that sum. With minimums
/// one for each two groups: the sums of their activations as two 16-bit halves. In planes with minimums one for each of
/// plane_minimums groups, by token: its activations' sum as two bfloat16, a multiple of 128 and the rest.
template <class Traits>
constexpr int corrections_per_block = !Traits::has_min    ? rounding_groups<Traits>
                                      : in_planes<Traits> ? plane_minimums
                                                          : (rounding_groups<Traits> + 1) / 2;

/// A block's sums of groups [tokens][plane_minimums] from sums of 16 activations [16][tokens], for up to 16 tokens.
template <int groups>
KERN_INLINE void plane_corrections(const std::int16_t* sums, int tokens, std::int32_t* corrections) {
  constexpr int per_group = 16 / groups;
  alignas(64) std::uint32_t by_group[plane_minimums * 16] = {};
  alignas(64) std::uint32_t by_token[16 * plane_minimums];
  for (int g = 0; g < groups; ++g) {
    std::int32_t sum[16] = {};
    for (int i = 0; i < per_group; ++i)
      for (int t = 0; t < tokens; ++t) sum[t] += sums[(g * per_group + i) * tokens + t];
    // As bfloat16 both are the upper half of a float, whose lower half is zero.
    for (int t = 0; t < 16; ++t)
      by_group[g * 16 + t] =
          float_bits(static_cast<float>(sum[t] & ~127)) >> 16 | float_bits(static_cast<float>(sum[t] & 127));
  }
  transpose_words(by_group, 16, by_token, plane_minimums);
  __builtin_memcpy(corrections, by_token, static_cast<std::size_t>(tokens) * plane_minimums * sizeof *corrections);
}

/// What a group with such a sum of activations has too much because of its codes' bias.
template <class Traits> KERN_INLINE std::int32_t bias_of(std::int32_t sum) {
  const std::int32_t bias = -PanelCodec<Traits>::bias * sum;
  if constexpr (!halves_bias<Traits>) return bias;
  const std::int32_t half = bias >> 1;
  return static_cast<std::int32_t>((half & 0xFFFF) |
                                   static_cast<std::int32_t>(static_cast<std::uint32_t>(bias - half) << 16));
}

/// corrections [columns / rounding block][corrections_per_block][T] of one tile
template <class Traits>
void prepare_corrections(const QuantizedRows& x, int tile, int columns, std::int32_t* corrections) {
  if constexpr (!Traits::has_min && signed_panels) return; // nobody looks at them
  const int tokens = tokens_of_tile(x.rows, tile);
  const std::int16_t* sums = x.sums + static_cast<std::ptrdiff_t>(tile) * tile_tokens * (columns / 16);
  constexpr int per_group = Traits::group / 16;
  const auto group_sum = [&](int g, int t) __attribute__((always_inline)) {
    std::int32_t sum = 0;
    for (int i = 0; i < per_group; ++i) sum += sums[(g * per_group + i) * tokens + t];
    return sum;
  };
  if constexpr (!Traits::has_min) {
    for (int g = 0; g < columns / Traits::group; ++g)
      for (int t = 0; t < tokens; ++t)
        corrections[g * tokens + t] = has_bias<Traits> ? bias_of<Traits>(group_sum(g, t)) : 0;
  } else if constexpr (in_planes<Traits>) {
    for (int b = 0; b < columns / rounding_block<Traits>; ++b)
      plane_corrections<rounding_groups<Traits>>(sums + b * 16 * tokens, tokens,
                                                 corrections + b * plane_minimums * tokens);
  } else {
    for (int b = 0; b < columns / rounding_block<Traits>; ++b)
      for (int p = 0; p < corrections_per_block<Traits>; ++p, corrections += tokens)
        for (int t = 0; t < tokens; ++t) {
          const int g = b * rounding_groups<Traits> + 2 * p;
          const std::int32_t next = rounding_groups<Traits> > 1 ? group_sum(g + 1, t) : 0;
          corrections[t] = static_cast<std::int32_t>((group_sum(g, t) & 0xFFFF) |
                                                     static_cast<std::int32_t>(static_cast<std::uint32_t>(next) << 16));
        }
  }
}

/// The tile from k on, given its corrections from k = 0.
template <class Traits>
KERN_INLINE TileChunk tile_chunk(const QuantizedRows& x, int tile, int columns, int k,
                                 const std::int32_t* corrections) {
  const int tokens = tokens_of_tile(x.rows, tile);
  const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(tile) * tile_tokens;
  const int block = k / rounding_block<Traits>;
  TileChunk chunk;
  chunk.codes = reinterpret_cast<const std::int32_t*>(x.codes + first * columns) + k / 4 * tokens;
  chunk.scales = x.scales + first * (columns / rounding_block<Traits>)+block * tokens;
  chunk.corrections = corrections + block * corrections_per_block<Traits> * tokens;
  return chunk;
}
