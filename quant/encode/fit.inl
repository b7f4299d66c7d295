// The scale, or scale and minimum, with the least weighted squared error for a group of values.

/// A scale and the sums that belong to it: with levels l, moment = sum of w x l, power = sum of w l^2.
struct ScaleFit {
  Lanes scale{};
  Lanes moment{};
  Lanes power{};
};

/// The best scale for the levels that x / scale rounds to, 1 / scale given.
template <class Levels> KERN_INLINE ScaleFit refit_scale(const Lanes* x, const Lanes* w, int count, Lanes inverse) {
  ScaleFit fit;
  for (int i = 0; i < count; ++i) {
    const Lanes level = Levels::nearest(x[i] * inverse);
    const Lanes weighted = w[i] * level;
    fit.moment += weighted * x[i];
    fit.power += weighted * level;
  }
  fit.scale = ratio(fit.moment, fit.power);
  return fit;
}

/// The value of largest magnitude, with its sign.
KERN_INLINE Lanes largest_of(const Lanes* x, int count) {
  Lanes largest{};
  for (int i = 0; i < count; ++i) largest = choose(magnitude(x[i]) > magnitude(largest), x[i], largest);
  return largest;
}

/// x [count], w [count]. Tries where the largest value may lie, then improves the best in turn: given the levels the
/// best scale is known, given the scale the best levels. The error is sum of w x^2 - moment^2 / power.
template <class Levels> KERN_INLINE ScaleFit fit_scale(const Lanes* x, const Lanes* w, int count) {
  const Lanes largest = largest_of(x, count);
  ScaleFit best;
  const auto consider = [&](Lanes inverse) {
    const ScaleFit fit = refit_scale<Levels>(x, w, count, inverse);
    const Mask better = fit.scale * fit.moment > best.scale * best.moment;
    best.scale = choose(better, fit.scale, best.scale);
    best.moment = choose(better, fit.moment, best.moment);
    best.power = choose(better, fit.power, best.power);
  };
  for (const float edge : Levels::edges.at) consider(ratio(every(edge), largest));
  for (int turn = 0; turn < 3; ++turn) consider(ratio(every(1.0f), best.scale));
  return best;
}

/// sum of w (x - scale * nearest level)^2
template <class Levels>
KERN_INLINE Lanes scale_error(const Lanes* x, const Lanes* w, int count, Lanes scale, Lanes inverse) {
  Lanes error{};
  for (int i = 0; i < count; ++i) {
    const Lanes off = x[i] - scale * Levels::nearest(x[i] * inverse);
    error += w[i] * (off * off);
  }
  return error;
}

/// x = scale * level + offset; power = sum of w l^2, weight = sum of w.
struct AffineFit {
  Lanes scale{};
  Lanes offset{};
  Lanes error{};
  Lanes power{};
  Lanes weight{};
};

/// The best scale >= 0 and offset for the levels that (x - offset) * inverse rounds to. `below_zero`: no offset above
/// zero, for formats that can't say one.
template <class Levels, bool below_zero>
KERN_INLINE AffineFit refit_affine(const Lanes* x, const Lanes* w, int count, Lanes inverse, Lanes offset) {
  Lanes sum_w{}, sum_x{}, sum_l{}, sum_ll{}, sum_lx{};
  for (int i = 0; i < count; ++i) {
    const Lanes level = Levels::nearest((x[i] - offset) * inverse);
    const Lanes weighted = w[i] * level;
    sum_w += w[i];
    sum_x += w[i] * x[i];
    sum_l += weighted;
    sum_ll += weighted * level;
    sum_lx += weighted * x[i];
  }
  AffineFit fit;
  fit.power = sum_ll;
  fit.weight = sum_w;
  const Lanes determinant = sum_w * sum_ll - sum_l * sum_l;
  fit.scale = ratio(sum_w * sum_lx - sum_x * sum_l, determinant);
  fit.offset = ratio(sum_ll * sum_x - sum_l * sum_lx, determinant);
  const Mask flat = (determinant <= every(0.0f)) | (fit.scale < every(0.0f)); // all on one level
  fit.scale = choose(flat, every(0.0f), fit.scale);
  fit.offset = choose(flat, ratio(sum_x, sum_w), fit.offset);
  if constexpr (below_zero) {
    const Mask above = fit.offset > every(0.0f);
    fit.scale = choose(above, ratio(sum_lx, sum_ll), fit.scale);
    fit.offset = choose(above, every(0.0f), fit.offset);
  }
  return fit;
}

/// sum of w (x - scale * nearest level - offset)^2
template <class Levels>
KERN_INLINE Lanes affine_error(const Lanes* x, const Lanes* w, int count, Lanes scale, Lanes offset) {
  const Lanes inverse = ratio(every(1.0f), scale);
  Lanes error{};
  for (int i = 0; i < count; ++i) {
    const Lanes off = x[i] - scale * Levels::nearest((x[i] - offset) * inverse) - offset;
    error += w[i] * (off * off);
  }
  return error;
}

/// Tries ranges a little smaller and larger than that of the values, then improves the best in turn.
template <class Levels, int top, bool below_zero>
KERN_INLINE AffineFit fit_affine(const Lanes* x, const Lanes* w, int count) {
  Lanes low = below_zero ? every(0.0f) : x[0];
  Lanes high = x[0];
  for (int i = 0; i < count; ++i) {
    low = least(low, x[i]);
    high = most(high, x[i]);
  }
  AffineFit best;
  best.offset = low;
  best.error = every(__builtin_inff());
  const auto consider = [&](Lanes inverse, Lanes offset) {
    AffineFit fit = refit_affine<Levels, below_zero>(x, w, count, inverse, offset);
    fit.error = affine_error<Levels>(x, w, count, fit.scale, fit.offset);
    const Mask better = fit.error < best.error;
    best.scale = choose(better, fit.scale, best.scale);
    best.offset = choose(better, fit.offset, best.offset);
    best.error = choose(better, fit.error, best.error);
    best.power = choose(better, fit.power, best.power);
    best.weight = choose(better, fit.weight, best.weight);
  };
  const Lanes step = ratio(every(1.0f), high - low);
  // Few levels gain from ranges that leave values outside; many hardly do.
  constexpr float widest = top + 0.9f;
  constexpr float spread = top <= 3 ? 2.9f : 1.9f;
  for (int i = 0; i < 20; ++i) consider(step * (widest - spread + spread * 0.05f * static_cast<float>(i)), low);
  for (int turn = 0; turn < 3; ++turn) consider(ratio(every(1.0f), best.scale), best.offset);
  return best;
}
