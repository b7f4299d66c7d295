// The nearest point of a grid, exactly. A point's coordinates are two halves; what each half's combinations of levels
// cost stands in a table, and a book lists which lower halves go with which upper half: a point costs an addition or
// less. Costs are at least zero, so that their bits compare as integers do, which is faster.

/// A book by upper halves: those of `upper` are entries begin[upper]..begin[upper + 1], each with its lower half.
template <int entries, int numbers> struct SplitBook {
  std::uint16_t begin[numbers + 1];
  std::uint8_t lower[entries];
};

template <int entries, int size, int base> constexpr auto split_book(const grids::Book<entries, size, base>& book) {
  constexpr int numbers = [] {
    int count = 1;
    for (int i = 0; i < size / 2; ++i) count *= base;
    return count;
  }();
  SplitBook<entries, numbers> split{};
  int entry = 0;
  for (int upper = 0; upper < numbers; ++upper) {
    split.begin[upper] = static_cast<std::uint16_t>(entry);
    for (int lower = 0; lower < numbers; ++lower) {
      const int number = upper * numbers + lower;
      if (book.set[number / 64] >> (number % 64) & 1u) split.lower[entry++] = static_cast<std::uint8_t>(lower);
    }
  }
  split.begin[numbers] = static_cast<std::uint16_t>(entry);
  return split;
}

/// The order in which a book is scanned: upper halves with few entries first, so that a loop's length hardly changes
/// from one to the next, and entries in pairs, the last twice where their number is odd.
template <int entries, int numbers> struct ScanOrder {
  int uppers = 0; // that have entries
  std::uint8_t upper[numbers]{};
  std::uint8_t pairs[numbers]{};
  std::uint16_t offsets[entries + numbers]{}; // of the lower halves in a table of lanes, in bytes
};

template <int entries, int size> constexpr auto scan_order(const SplitBook<entries, size>& split) {
  constexpr int numbers = size;
  ScanOrder<entries, numbers> order;
  int at = 0;
  for (int pairs = 1; 2 * pairs <= numbers + 1; ++pairs)
    for (int u = 0; u < numbers; ++u) {
      const int begin = split.begin[u];
      const int end = split.begin[u + 1];
      if ((end - begin + 1) / 2 != pairs) continue;
      order.upper[order.uppers] = static_cast<std::uint8_t>(u);
      order.pairs[order.uppers++] = static_cast<std::uint8_t>(pairs);
      for (int i = 0; i < 2 * pairs; ++i) {
        const int entry = begin + i < end ? begin + i : end - 1;
        order.offsets[at++] = static_cast<std::uint16_t>(split.lower[entry] * sizeof(Lanes));
      }
    }
  return order;
}

/// What the search has to know of a format.
template <class Traits> struct GridOf {
  static constexpr auto split = split_book(Traits::book);
  static constexpr auto order = scan_order(split);
  static constexpr int numbers = static_cast<int>(std::size(split.begin)) - 1;
  static constexpr int base = static_cast<int>(std::size(Traits::levels));
  static constexpr int half = base == 3 ? 4 : 2; // coordinates
  static constexpr int parts = 4 / half;         // points of eight weights
  static constexpr bool has_signs = Traits::sign_kind == GridSigns::even || Traits::sign_kind == GridSigns::free;
  static constexpr bool flips = Traits::sign_kind == GridSigns::even;
};

/// The lesser of costs that are at least zero.
KERN_INLINE Lanes cheaper(Lanes a, Lanes b) {
  const Mask x = reinterpret_cast<Mask>(a);
  const Mask y = reinterpret_cast<Mask>(b);
  return reinterpret_cast<Lanes>(x < y ? x : y);
}

/// Costs of a half's combinations; `flipped` with the one sign wrong that costs least.
template <class Grid> struct HalfCosts {
  Lanes plain[Grid::numbers];
  Lanes flipped[Grid::flips ? Grid::numbers : 1];
};

/// Adds coordinate i to the first base^i combinations. x, w [half], values [base]: the levels
template <class Grid, int i, int count>
KERN_INLINE void cost_coordinates(const Lanes* x, const Lanes* w, const Lanes* values, HalfCosts<Grid>& costs) {
  // The lowest level last: it is written where the others read.
  for (int level = Grid::base - 1; level >= 0; --level) {
    const Lanes off = x[i] - values[level];
    const Lanes right = w[i] * (off * off);
    const Lanes off_flipped = x[i] + values[level];
    const Lanes wrong = w[i] * (off_flipped * off_flipped);
    for (int n = 0; n < count; ++n) {
      const int at = level * count + n;
      if constexpr (Grid::flips) costs.flipped[at] = cheaper(costs.flipped[n] + right, costs.plain[n] + wrong);
      costs.plain[at] = costs.plain[n] + right;
    }
  }
  if constexpr (i + 1 < Grid::half) cost_coordinates<Grid, i + 1, count * Grid::base>(x, w, values, costs);
}

template <class Grid>
KERN_INLINE void cost_half(const Lanes* x, const Lanes* w, const Lanes* values, HalfCosts<Grid>& costs) {
  costs.plain[0] = Lanes{};
  costs.flipped[0] = every(__builtin_inff());
  cost_coordinates<Grid, 0, 1>(x, w, values, costs);
}

/// The cheapest point with all signs right, and with one wrong; and the upper halves of both.
struct Nearest {
  Lanes plain;
  Lanes flipped;
  Mask plain_upper;
  Mask flipped_upper;
};

KERN_INLINE Lanes cost_at(const Lanes* costs, int offset) {
  return *reinterpret_cast<const Lanes*>(reinterpret_cast<const std::byte*>(costs) + offset);
}

template <class Grid, bool track>
KERN_INLINE Nearest scan_book(const HalfCosts<Grid>& lower, const HalfCosts<Grid>& upper) {
  Nearest best{};
  best.plain = best.flipped = every(__builtin_inff());
  const std::uint16_t* offset = Grid::order.offsets;
  for (int i = 0; i < Grid::order.uppers; ++i) {
    const int u = Grid::order.upper[i];
    Lanes plain[2], flipped[2];
    for (int side = 0; side < 2; ++side) plain[side] = flipped[side] = every(__builtin_inff());
    for (const std::uint16_t* end = offset + 2 * Grid::order.pairs[i]; offset < end; offset += 2)
      for (int side = 0; side < 2; ++side) {
        plain[side] = cheaper(plain[side], cost_at(lower.plain, offset[side]));
        if constexpr (Grid::flips) flipped[side] = cheaper(flipped[side], cost_at(lower.flipped, offset[side]));
      }
    const Lanes least_plain = cheaper(plain[0], plain[1]);
    const Lanes cost = least_plain + upper.plain[u];
    if constexpr (track) best.plain_upper = cost < best.plain ? Mask{} + u : best.plain_upper;
    best.plain = cheaper(cost, best.plain);
    if constexpr (!Grid::flips) continue;
    const Lanes least_flipped = cheaper(flipped[0], flipped[1]);
    const Lanes wrong = cheaper(least_flipped + upper.plain[u], least_plain + upper.flipped[u]);
    if constexpr (track) best.flipped_upper = wrong < best.flipped ? Mask{} + u : best.flipped_upper;
    best.flipped = cheaper(wrong, best.flipped);
  }
  return best;
}
