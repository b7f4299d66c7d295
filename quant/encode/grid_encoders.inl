// The grid formats: groups with odd numbers for scales, times one scale in binary16. One encoder for all of them.

/// A tile whose signs stand apart where the format keeps them apart.
struct GridTile {
  Tile<256> tile; // magnitudes then
  Mask odd[32]{}; // of eight weights each: whether an odd number of them is negative
};

/// What is chosen for all lanes.
template <class Traits> struct GridChoice {
  Lanes codes[256]; // levels of the weights; with signs apart, below zero where the sign is wrong
  Lanes shifts[32]; // of the levels of eight weights, where there are no signs
  std::uint16_t points[lane_count][32 * GridOf<Traits>::parts];
  std::uint8_t negative[lane_count][32]; // a bit a weight, as it is
  std::uint8_t signs[lane_count][32];    // as stored: a bit a weight, or 1 where codes are shifted down
  std::uint8_t scales[lane_count][256 / Traits::group];
};

template <class Traits>
void load_grid_tile(const EncodeShare& share, std::int64_t first, int count, GridTile& grid,
                    GridChoice<Traits>& choice) {
  load_tile(share, first, count, grid.tile);
  for (int eight = 0; eight < 32 && GridOf<Traits>::has_signs; ++eight) {
    Mask bits{};
    Mask parity{};
    for (int i = 0, bit = 1; i < 8; ++i, bit *= 2) {
      Lanes& x = grid.tile.x[eight * 8 + i];
      const Mask below = x < every(0.0f);
      bits |= below & (Mask{} + bit);
      parity ^= below;
      x = magnitude(x);
    }
    grid.odd[eight] = parity;
    for (int lane = 0; lane < lane_count; ++lane) choice.negative[lane][eight] = static_cast<std::uint8_t>(bits[lane]);
  }
}

/// The search for eight weights: one point or two.
template <class Traits> struct EightSearch {
  using Grid = GridOf<Traits>;
  HalfCosts<Grid> lower[Grid::parts];
  HalfCosts<Grid> upper[Grid::parts];
  Nearest nearest[Grid::parts];

  /// The least error at a scale. `odd`: one sign has to be wrong. `shift`: of the levels.
  template <bool track> KERN_INLINE Lanes run(const Lanes* x, const Lanes* w, Lanes scale, Lanes shift, Mask odd) {
    Lanes values[Grid::base];
    for (int level = 0; level < Grid::base; ++level)
      values[level] = scale * (static_cast<float>(Traits::levels[level]) + shift);
    Lanes plain{};
    Lanes flipped = every(__builtin_inff());
    for (int part = 0; part < Grid::parts; ++part) {
      const int at = part * 2 * Grid::half;
      cost_half<Grid>(x + at, w + at, values, lower[part]);
      cost_half<Grid>(x + at + Grid::half, w + at + Grid::half, values, upper[part]);
      nearest[part] = scan_book<Grid, track>(lower[part], upper[part]);
      flipped = cheaper(flipped + nearest[part].plain, plain + nearest[part].flipped);
      plain += nearest[part].plain;
    }
    return Grid::flips ? choose(odd, flipped, plain) : plain;
  }

  /// After run<true>: the entry of a part's cheapest point in one lane, and its levels' numbers [2 * half].
  int resolve(int part, int lane, bool flip, int* levels) const {
    const int u = flip ? nearest[part].flipped_upper[lane] : nearest[part].plain_upper[lane];
    const auto cost = [&](int entry) {
      const int l = Grid::split.lower[entry];
      if (!flip) return lower[part].plain[l][lane];
      const float a = lower[part].flipped[l][lane] + upper[part].plain[u][lane];
      const float b = lower[part].plain[l][lane] + upper[part].flipped[u][lane];
      return a < b ? a : b;
    };
    int best = Grid::split.begin[u];
    float least_cost = cost(best);
    for (int entry = best + 1; entry < Grid::split.begin[u + 1]; ++entry) {
      const float c = cost(entry);
      best = c < least_cost ? entry : best;
      least_cost = c < least_cost ? c : least_cost;
    }
    for (int i = 0, l = Grid::split.lower[best], h = u; i < Grid::half; ++i, l /= Grid::base, h /= Grid::base) {
      levels[i] = l % Grid::base;
      levels[Grid::half + i] = h % Grid::base;
    }
    return best;
  }
};

template <class Traits> Lanes cost_eight(const Lanes* x, const Lanes* w, Lanes scale, Lanes shift, Mask odd) {
  EightSearch<Traits> search;
  return search.template run<false>(x, w, scale, shift, odd);
}

/// The shift of eight weights' levels with less error.
template <class Traits> Lanes better_shift(const Lanes* x, const Lanes* w, Lanes scale, Lanes& up, Lanes& down) {
  up += cost_eight<Traits>(x, w, scale, every(1.0f), Mask{});
  down += cost_eight<Traits>(x, w, scale, every(-1.0f), Mask{});
  return choose(down < up, every(-1.0f), every(1.0f));
}

/// The least error of a group at a scale; shifts [group / 8] with which it is reached, where there are no signs.
template <class Traits> Lanes cost_group(const GridTile& grid, int group, Lanes scale, Lanes* shifts) {
  constexpr int eights = Traits::group / 8;
  Lanes sum{}, up{}, down{};
  for (int e = 0; e < eights; ++e) {
    const Lanes* x = grid.tile.x + group * Traits::group + e * 8;
    const Lanes* w = grid.tile.w + group * Traits::group + e * 8;
    if constexpr (GridOf<Traits>::has_signs) {
      sum += cost_eight<Traits>(x, w, scale, Lanes{}, grid.odd[group * eights + e]);
      continue;
    }
    if constexpr (Traits::sign_kind == GridSigns::shifted_eights) up = down = Lanes{};
    shifts[e] = better_shift<Traits>(x, w, scale, up, down);
    if constexpr (Traits::sign_kind == GridSigns::shifted_eights) sum += cheaper(up, down);
  }
  if constexpr (Traits::sign_kind == GridSigns::shifted_groups) {
    for (int e = 0; e < eights - 1; ++e) shifts[e] = shifts[eights - 1]; // the last compared the whole group
    sum = cheaper(up, down);
  }
  return sum;
}

/// Eight weights' point or points and signs in one lane, after run<true>.
template <class Traits>
void settle_eight(const EightSearch<Traits>& search, const GridTile& grid, int eight, int lane, float shift,
                  GridChoice<Traits>& choice) {
  using Grid = GridOf<Traits>;
  const bool odd = Grid::flips && grid.odd[eight][lane];
  const Nearest* nearest = search.nearest;
  const bool last_flips = Grid::parts == 2 && nearest[0].plain[lane] + nearest[Grid::parts - 1].flipped[lane] <
                                                  nearest[0].flipped[lane] + nearest[Grid::parts - 1].plain[lane];
  float cost[8]; // of a wrong sign
  for (int part = 0; part < Grid::parts; ++part) {
    int levels[2 * Grid::half];
    const int entry = search.resolve(part, lane, odd && (part == 1) == last_flips, levels);
    choice.points[lane][eight * Grid::parts + part] = static_cast<std::uint16_t>(entry);
    for (int i = 0; i < 2 * Grid::half; ++i) {
      const int at = part * 2 * Grid::half + i;
      const float code = static_cast<float>(Traits::levels[levels[i]]) + shift;
      choice.codes[eight * 8 + at][lane] = code;
      cost[at] = grid.tile.w[eight * 8 + at][lane] * (grid.tile.x[eight * 8 + at][lane] * code);
    }
  }
  if (!Grid::has_signs) choice.signs[lane][eight] = shift < 0.0f;
  else choice.signs[lane][eight] = choice.negative[lane][eight];
  if (!odd) return;
  int wrong = 0;
  for (int i = 1; i < 8; ++i) wrong = cost[i] < cost[wrong] ? i : wrong;
  choice.codes[eight * 8 + wrong][lane] = -choice.codes[eight * 8 + wrong][lane];
  choice.signs[lane][eight] = static_cast<std::uint8_t>(choice.signs[lane][eight] ^ (1 << wrong));
}

/// The points with the least error at a scale, and the scale that then is the best.
template <class Traits>
ScaleFit settle_group(const GridTile& grid, int group, Lanes scale, GridChoice<Traits>& choice) {
  constexpr int eights = Traits::group / 8;
  for (int eight = group * eights; eight < (group + 1) * eights; ++eight) {
    const Lanes shift = GridOf<Traits>::has_signs ? Lanes{} : choice.shifts[eight];
    EightSearch<Traits> search;
    search.template run<true>(grid.tile.x + eight * 8, grid.tile.w + eight * 8, scale, shift, grid.odd[eight]);
    for (int lane = 0; lane < lane_count; ++lane) settle_eight(search, grid, eight, lane, shift[lane], choice);
  }
  ScaleFit fit;
  for (int i = group * Traits::group; i < (group + 1) * Traits::group; ++i) {
    const Lanes weighted = grid.tile.w[i] * choice.codes[i];
    fit.moment += weighted * grid.tile.x[i];
    fit.power += weighted * choice.codes[i];
  }
  fit.scale = ratio(fit.moment, fit.power);
  return fit;
}

/// The root of the weighted mean square.
KERN_INLINE Lanes mean_magnitude(const Lanes* x, const Lanes* w, int count) {
  Lanes squares{}, weights{};
  for (int i = 0; i < count; ++i) {
    squares += w[i] * (x[i] * x[i]);
    weights += w[i];
  }
  Lanes mean = ratio(squares, weights);
  for (int lane = 0; lane < lane_count; ++lane) mean[lane] = __builtin_sqrtf(mean[lane]);
  return mean;
}

/// Scales worth trying, each said as the part of the highest level that the mean magnitude is: from one value far above
/// the others to values that are nearly alike; and the one at which values that are alike are all on the lowest level.
template <class Traits>
constexpr auto trials = [] {
  struct {
    float at[10];
  } parts{};
  const auto highest = static_cast<float>(Traits::levels[GridOf<Traits>::base - 1]);
  const auto lowest = static_cast<float>(Traits::levels[0]);
  parts.at[0] = lowest > 0.0f ? lowest / highest : 0.2f;
  for (int i = 1; i < 10; ++i) parts.at[i] = (i == 1 ? 0.236f : parts.at[i - 1] * 1.18f);
  return parts;
}();

/// A group's own scale if the book had every point, which costs next to nothing to find.
template <class Traits> ScaleFit fit_any_point(const Lanes* x, const Lanes* w, Lanes mean) {
  const auto level = [](int number) { return every(static_cast<float>(Traits::levels[number])); };
  constexpr int base = GridOf<Traits>::base;
  ScaleFit best;
  for (const float part : trials<Traits>.at) {
    const Lanes inverse = ratio(part * level(base - 1), mean);
    ScaleFit fit;
    for (int i = 0; i < Traits::group; ++i) {
      const Lanes at = x[i] * inverse;
      Lanes code = level(0);
      for (int n = 1; n < base; ++n) code = choose(at > 0.5f * (level(n - 1) + level(n)), level(n), code);
      fit.moment += w[i] * (code * x[i]);
      fit.power += w[i] * (code * code);
    }
    fit.scale = ratio(fit.moment, fit.power);
    const Mask better = fit.scale * fit.moment > best.scale * best.moment;
    best.scale = choose(better, fit.scale, best.scale);
    best.moment = choose(better, fit.moment, best.moment);
    best.power = choose(better, fit.power, best.power);
  }
  return best;
}

/// A group's own best scale.
template <class Traits> ScaleFit fit_group(const GridTile& grid, int group, GridChoice<Traits>& choice) {
  const Lanes* x = grid.tile.x + group * Traits::group;
  const Lanes* w = grid.tile.w + group * Traits::group;
  const Lanes mean = mean_magnitude(x, w, Traits::group);
  // The large book of IQ1 misses so few points that trying it gains under 0.3 % and takes twice the time.
  if constexpr (!GridOf<Traits>::has_signs) return fit_any_point<Traits>(x, w, mean);
  Lanes best{};
  Lanes least_error = every(__builtin_inff());
  for (const float part : trials<Traits>.at) {
    const Lanes scale = mean * (1.0f / (part * static_cast<float>(Traits::levels[GridOf<Traits>::base - 1])));
    const Lanes error = cost_group<Traits>(grid, group, scale, nullptr);
    best = choose(error < least_error, scale, best);
    least_error = cheaper(error, least_error);
  }
  return settle_group(grid, group, best, choice);
}

/// Of a group's number and those beside it the one with the least error, and the shifts that go with it.
template <class Traits, class Numbers>
Lanes choose_number(const GridTile& grid, int group, Lanes near, Lanes d, GridChoice<Traits>& choice) {
  constexpr int eights = Traits::group / 8;
  Lanes best = near;
  Lanes least_error = every(__builtin_inff());
  for (int step = -2; step <= 2; step += 2) {
    Lanes shifts[eights] = {};
    const Lanes number = Numbers::nearest(near + static_cast<float>(step));
    const Lanes error = cost_group<Traits>(grid, group, d * number, shifts);
    const Mask better = error < least_error;
    best = choose(better, number, best);
    for (int e = 0; e < eights; ++e)
      choice.shifts[group * eights + e] = choose(better, shifts[e], choice.shifts[group * eights + e]);
    least_error = cheaper(error, least_error);
  }
  return best;
}

/// Odd numbers of groups' scales.
template <int high> struct OddNumbers {
  static constexpr auto edges = [] {
    Edges<24> e; // where the largest scale's number lies
    for (int i = 0; i < 24; ++i) e.at[i] = static_cast<float>(high) * (1.1f - 0.02f * static_cast<float>(i));
    return e;
  }();
  KERN_INLINE static Lanes nearest(Lanes v) {
    const Lanes number = least(most(v, every(1.0f)), every(static_cast<float>(high)));
    return 2.0f * round_lanes(0.5f * (number - 1.0f)) + 1.0f;
  }
};

template <class Traits> void encode_grid(const EncodeShare& share, std::int64_t first, int count) {
  constexpr int groups = 256 / Traits::group;
  using Numbers = OddNumbers<2 * Traits::scale_count - 1>;
  GridTile grid;
  GridChoice<Traits> choice;
  load_grid_tile(share, first, count, grid, choice);
  Lanes scales[groups], costs[groups], numbers[groups];
  for (int g = 0; g < groups; ++g) {
    const ScaleFit fit = fit_group(grid, g, choice);
    scales[g] = fit.scale;
    costs[g] = fit.power;
  }
  Half bits[lane_count];
  const auto keep = [&](Lanes d) { return Traits::unit * keep_half(grid.tile, d * (1.0f / Traits::unit), bits); };
  Lanes d = keep(fit_scale<Numbers>(scales, costs, groups).scale);
  for (int g = 0; g < groups; ++g) numbers[g] = Numbers::nearest(ratio(scales[g], d));
  for (int turn = 0; turn < 2; ++turn) {
    ScaleFit sums;
    for (int g = 0; g < groups; ++g) {
      if (turn == 0) numbers[g] = choose_number<Traits, Numbers>(grid, g, numbers[g], d, choice);
      const ScaleFit fit = settle_group(grid, g, d * numbers[g], choice);
      sums.moment += numbers[g] * fit.moment;
      sums.power += numbers[g] * numbers[g] * fit.power;
    }
    const Lanes least = choose(sums.power > every(0.0f), ratio(sums.moment, sums.power), d);
    d = keep(turn == 0 ? least : least * length_factor(grid.tile, least * sums.moment));
  }
  for (int g = 0; g < groups; ++g) store_digits<groups>(0.5f * (numbers[g] - 1.0f), g, choice.scales);
  auto* blocks = reinterpret_cast<typename Traits::Block*>(share.out) + first;
  for (int lane = 0; lane < count; ++lane)
    Traits::pack({bits[lane], choice.points[lane], choice.signs[lane], choice.scales[lane]}, blocks[lane]);
}
