// One function a family of formats. Each encodes up to `lane_count` blocks side by side.

/// A scale in binary16.
template <class Traits, class Levels> void encode_scaled(const EncodeShare& share, std::int64_t first, int count) {
  Tile<Traits::width> tile;
  load_tile(share, first, count, tile);
  Half d[lane_count];
  const Half none[lane_count] = {};
  const Lanes scale = keep_half(tile, fit_scale<Levels>(tile.x, tile.w, Traits::width).scale, d);
  Digits<Traits::width, 1> digits;
  store_group<Levels>(tile.x, 0, Traits::width, scale, Lanes{}, digits.digits);
  store_blocks<Traits>(share, first, count, d, none, digits);
}

/// A scale and a minimum in binary16.
template <class Traits, class Levels, int top>
void encode_affine(const EncodeShare& share, std::int64_t first, int count) {
  Tile<Traits::width> tile;
  load_tile(share, first, count, tile);
  const AffineFit fit = fit_affine<Levels, top, false>(tile.x, tile.w, Traits::width);
  Half d[lane_count];
  Half m[lane_count];
  const Lanes scale = keep_half(tile, fit.scale, d);
  const Lanes offset = keep_half(tile, fit.offset, m);
  Digits<Traits::width, 1> digits;
  store_group<Levels>(tile.x, 0, Traits::width, scale, offset, digits.digits);
  store_blocks<Traits>(share, first, count, d, m, digits);
}

/// Of numbers n - 1, n and n + 1 for a group's scale the one with the least error, within the scale's levels; the
/// group's part in the sums for the scale of the scales.
template <class Levels, class ScaleLevels>
KERN_INLINE Lanes choose_scale(const Lanes* x, const Lanes* w, int count, Lanes near, Lanes d, ScaleFit& sums) {
  Lanes best = near;
  Lanes least_error = every(__builtin_inff());
  for (int step = -1; step <= 1; ++step) {
    const Lanes number = ScaleLevels::nearest(near + static_cast<float>(step));
    const Lanes scale = d * number;
    const Lanes error = scale_error<Levels>(x, w, count, scale, ratio(every(1.0f), scale));
    const Mask better = error < least_error;
    best = choose(better, number, best);
    least_error = choose(better, error, least_error);
  }
  const ScaleFit fit = refit_scale<Levels>(x, w, count, ratio(every(1.0f), d * best));
  sums.moment += best * fit.moment;
  sums.power += best * best * fit.power;
  return best;
}

/// Groups whose scales are integers times one in binary16: the scales' scale is fitted to the groups' own scales, each
/// weighted by what a deviation costs.
template <class Traits, class Levels, class ScaleLevels>
void encode_scaled_groups(const EncodeShare& share, std::int64_t first, int count) {
  constexpr int groups = Traits::width / Traits::group;
  Tile<Traits::width> tile;
  load_tile(share, first, count, tile);
  Lanes scales[groups];
  Lanes costs[groups];
  for (int g = 0; g < groups; ++g) {
    const ScaleFit fit = fit_scale<Levels>(tile.x + g * Traits::group, tile.w + g * Traits::group, Traits::group);
    scales[g] = fit.scale;
    costs[g] = fit.power;
  }
  Half bits[lane_count];
  const Half none[lane_count] = {};
  Lanes d = keep_half(tile, fit_scale<ScaleLevels>(scales, costs, groups).scale, bits);
  Lanes numbers[groups];
  for (int g = 0; g < groups; ++g) numbers[g] = ScaleLevels::nearest(ratio(scales[g], d));
  Digits<Traits::width, groups> digits;
  for (int turn = 0; turn < 2; ++turn) {
    ScaleFit sums;
    for (int g = 0; g < groups; ++g)
      numbers[g] = choose_scale<Levels, ScaleLevels>(tile.x + g * Traits::group, tile.w + g * Traits::group,
                                                     Traits::group, numbers[g], d, sums);
    d = keep_half(tile, choose(sums.power > every(0.0f), ratio(sums.moment, sums.power), d), bits);
  }
  for (int g = 0; g < groups; ++g) {
    store_digits<groups>(ScaleLevels::digit(numbers[g]), g, digits.scales);
    store_group<Levels>(tile.x, g * Traits::group, Traits::group, d * numbers[g], Lanes{}, digits.digits);
  }
  store_blocks<Traits>(share, first, count, bits, none, digits);
}

/// Sums of the two equations for the scale of the scales d and that of the minimums m: x = d n l - m k, for numbers n,
/// k of each group.
struct PairFit {
  Lanes dd{}, dm{}, mm{}, dx{}, mx{};

  template <class Levels>
  KERN_INLINE void add(const Lanes* x, const Lanes* w, int count, Lanes number, Lanes minimum, Lanes scale,
                       Lanes offset) {
    const Lanes inverse = ratio(every(1.0f), scale);
    for (int i = 0; i < count; ++i) {
      const Lanes a = number * Levels::nearest((x[i] - offset) * inverse);
      dd += w[i] * (a * a);
      dm += w[i] * (a * minimum);
      mm += w[i] * (minimum * minimum);
      dx += w[i] * (a * x[i]);
      mx += w[i] * (minimum * x[i]);
    }
  }
  /// Where the equations say nothing, or a scale below zero, the old ones stay.
  KERN_INLINE void solve(Lanes& d, Lanes& m) const {
    const Lanes determinant = dd * mm - dm * dm;
    const Lanes new_d = ratio(dx * mm - dm * mx, determinant);
    const Lanes new_m = ratio(dm * dx - dd * mx, determinant);
    const Mask good = (determinant > every(0.0f)) & (new_d > every(0.0f)) & (new_m >= every(0.0f));
    // Without minimums, d alone.
    const Mask alone = (mm == every(0.0f)) & (dd > every(0.0f));
    d = choose(good, new_d, choose(alone, ratio(dx, dd), d));
    m = choose(good, new_m, m);
  }
};

/// Of the nine pairs of numbers around a group's scale and minimum the one with the least error.
template <class Levels, class PartLevels>
KERN_INLINE void choose_pair(const Lanes* x, const Lanes* w, int count, Lanes d, Lanes m, Lanes& number,
                             Lanes& minimum) {
  const Lanes near = number;
  const Lanes near_minimum = minimum;
  Lanes least_error = every(__builtin_inff());
  for (int step = 0; step < 9; ++step) {
    const Lanes n = PartLevels::nearest(near + static_cast<float>(step % 3 - 1));
    const Lanes k = PartLevels::nearest(near_minimum + static_cast<float>(step / 3 - 1));
    const Lanes error = affine_error<Levels>(x, w, count, d * n, -(m * k));
    const Mask better = error < least_error;
    number = choose(better, n, number);
    minimum = choose(better, k, minimum);
    least_error = choose(better, error, least_error);
  }
}

/// Groups with integer scales and minimums, each times one number in binary16.
template <class Traits, class Levels, int top, class PartLevels>
void encode_affine_groups(const EncodeShare& share, std::int64_t first, int count) {
  constexpr int groups = Traits::width / Traits::group;
  Tile<Traits::width> tile;
  load_tile(share, first, count, tile);
  Lanes scales[groups], costs[groups], minimums[groups], minimum_costs[groups];
  for (int g = 0; g < groups; ++g) {
    const AffineFit fit =
        fit_affine<Levels, top, true>(tile.x + g * Traits::group, tile.w + g * Traits::group, Traits::group);
    scales[g] = fit.scale;
    costs[g] = fit.power;
    minimums[g] = -fit.offset;
    minimum_costs[g] = fit.weight;
  }
  Half d_bits[lane_count];
  Half m_bits[lane_count];
  Lanes d = keep_half(tile, fit_scale<PartLevels>(scales, costs, groups).scale, d_bits);
  Lanes m = keep_half(tile, fit_scale<PartLevels>(minimums, minimum_costs, groups).scale, m_bits);
  Lanes numbers[groups], minimum_numbers[groups];
  for (int g = 0; g < groups; ++g) {
    numbers[g] = PartLevels::nearest(ratio(scales[g], d));
    minimum_numbers[g] = PartLevels::nearest(ratio(minimums[g], m));
  }
  for (int turn = 0; turn < 2; ++turn) {
    PairFit sums;
    for (int g = 0; g < groups; ++g) {
      const Lanes* x = tile.x + g * Traits::group;
      const Lanes* w = tile.w + g * Traits::group;
      choose_pair<Levels, PartLevels>(x, w, Traits::group, d, m, numbers[g], minimum_numbers[g]);
      sums.template add<Levels>(x, w, Traits::group, numbers[g], minimum_numbers[g], d * numbers[g],
                                -(m * minimum_numbers[g]));
    }
    sums.solve(d, m);
    const Lanes factor = turn == 0 ? every(1.0f) : length_factor(tile, d * sums.dx - m * sums.mx);
    d = keep_half(tile, d * factor, d_bits);
    m = keep_half(tile, m * factor, m_bits);
  }
  Digits<Traits::width, groups> digits;
  for (int g = 0; g < groups; ++g) {
    store_digits<groups>(numbers[g], g, digits.scales);
    store_digits<groups>(minimum_numbers[g], g, digits.mins);
    store_group<Levels>(tile.x, g * Traits::group, Traits::group, d * numbers[g], -(m * minimum_numbers[g]),
                        digits.digits);
  }
  store_blocks<Traits>(share, first, count, d_bits, m_bits, digits);
}

/// Groups whose scale is a float of one byte: `near(scale)` is a byte whose value is close, `value(byte)` what it
/// stands for, and its neighbours `reach` up and down are tried.
template <class Traits, class Code> void encode_byte_scaled(const EncodeShare& share, std::int64_t first, int count) {
  constexpr int groups = Traits::width / Traits::group;
  Tile<Traits::width> tile;
  load_tile(share, first, count, tile);
  Digits<Traits::width, groups> digits;
  const Half none[lane_count] = {};
  for (int g = 0; g < groups; ++g) {
    const Lanes* x = tile.x + g * Traits::group;
    const Lanes* w = tile.w + g * Traits::group;
    // The levels lie alike on both sides of zero, so that a scale below zero is as good as the one above.
    const Lanes fitted = magnitude(fit_scale<DoubledE2M1>(x, w, Traits::group).scale);
    Lanes best{};
    Lanes least_error = every(__builtin_inff());
    for (int step = -Code::reach; step <= Code::reach; ++step) {
      Lanes scale;
      std::uint8_t bytes[lane_count];
      for (int lane = 0; lane < lane_count; ++lane) {
        bytes[lane] = Code::byte(fitted[lane] * tile.unit[lane], step);
        scale[lane] = Code::value(bytes[lane]) * (1.0f / tile.unit[lane]);
      }
      const Lanes error = scale_error<DoubledE2M1>(x, w, Traits::group, scale, ratio(every(1.0f), scale));
      const Mask better = error < least_error;
      best = choose(better, scale, best);
      least_error = choose(better, error, least_error);
      for (int lane = 0; lane < lane_count; ++lane)
        if (better[lane]) digits.scales[lane][g] = bytes[lane];
    }
    store_group<DoubledE2M1>(tile.x, g * Traits::group, Traits::group, best, Lanes{}, digits.digits);
  }
  store_blocks<Traits>(share, first, count, none, none, digits);
}

/// Half the scale of MXFP4: 2^(byte - 128).
struct PowerOfTwo {
  static constexpr int reach = 1;
  KERN_INLINE static std::uint8_t byte(float half_scale, int step) {
    const int exponent = static_cast<int>(float_bits(half_scale) >> 23) + 1 + step;
    return static_cast<std::uint8_t>(exponent < 0 ? 0 : exponent > 254 ? 254 : exponent); // 255 is NaN
  }
  KERN_INLINE static float value(std::uint8_t byte) {
    const std::uint32_t e = byte;
    return bits_float(e < 2 ? 0x00200000u << e : (e - 1) << 23);
  }
};

/// Half the scale of NVFP4: an E4M3 float.
struct HalfE4M3 {
  static constexpr int reach = 2;
  KERN_INLINE static std::uint8_t byte(float half_scale, int step) {
    // Bytes stand in the order of their values, so that the nearest below is found by halving.
    int low = 0;
    for (int bit = 64; bit > 0; bit /= 2)
      if (low + bit < 127 && half_of_e4m3(static_cast<std::uint8_t>(low + bit)) <= half_scale) low += bit;
    const int byte = low + step;
    return static_cast<std::uint8_t>(byte < 0 ? 0 : byte > 126 ? 126 : byte); // 127 is NaN
  }
  KERN_INLINE static float value(std::uint8_t byte) { return half_of_e4m3(byte); }
};
