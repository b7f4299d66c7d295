// What products of unpacked panels with tiles of tokens share, whatever multiplies.

/// What a tile product needs to know of a format: formats with the same numbers share the code.
template <int group_columns, int rounding, bool minimums, int largest_code> struct ProductKind {
  static constexpr int group = group_columns;
  static constexpr int block = rounding;
  static constexpr bool whole = block == 256 && group < block; // scales of groups are whole numbers
  static constexpr bool has_min = minimums;
  static constexpr int max_code = largest_code;
};

#if !defined(KERN_TILE_REGISTERS) // those of AMX have their own
template <class Traits>
using KindOf = ProductKind<Traits::group, rounding_block<Traits>, Traits::has_min,
                           code_class(PanelCodec<Traits>::max_code, Traits::group, sums_whole<Traits>)>;
#endif

/// Where results so far come from, and where they go. Between runs of k they stay close together: the rows of a result
/// lie so far apart, often by a power of two, that a cache couldn't hold them.
struct TileResults {
  const float* from; // [T][32], or null: from zero
  float* to;         // [T][stride]
  std::int64_t stride;

  KERN_INLINE TileResults at(int lane) const { return {from ? from + lane : nullptr, to + lane, stride}; }
};
