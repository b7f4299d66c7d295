// Elementary functions on lanes: step by step those of kernels/math.h, so every lane has the same bits as they have.

KERN_INLINE Floats round_lanes(Floats x) {
  const Floats shift = every_lane(0x1.8p23f);
  return (x + shift) - shift;
}

#if defined(__AVX512VNNI__)
KERN_INLINE float largest_of(Floats v) { return _mm512_reduce_max_ps(v); }
#else
KERN_INLINE float largest_of(Floats v) {
  float top = v[0];
  for (int i = 1; i < lane_count; ++i) top = v[i] > top ? v[i] : top;
  return top;
}
#endif

/// The sum of sixteen lanes, 16 / lane_count vectors, by the tree of lane i + lane i + 8, + 4, + 2, + 1.
KERN_INLINE float tree_of_lanes(const Floats* lane) {
#if defined(__AVX512VNNI__)
  const __m512 all = lane[0];
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
  float sums[16];
  for (int i = 0; i < 16 / lane_count; ++i) store_vector(sums + i * lane_count, lane[i]);
  for (int width = 8; width >= 1; width /= 2)
    for (int i = 0; i < width; ++i) sums[i] += sums[i + width];
  return sums[0];
#endif
}

/// a > b ? a : b and a < b ? a : b, so b where one is not a number
KERN_INLINE Floats larger(Floats a, Floats b) {
#if defined(__AVX512VNNI__)
  return _mm512_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
KERN_INLINE Floats smaller(Floats a, Floats b) {
#if defined(__AVX512VNNI__)
  return _mm512_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}

/// p * 2^n for an integer n from -126 to 128 and p around 1; not a number where either isn't
KERN_INLINE Floats times_power_of_two(Floats p, Floats n) {
#if defined(__AVX512VNNI__)
  return _mm512_scalef_ps(p, n);
#else
  const Floats safe = n == n ? n : Floats{};
  const Ints exponent = __builtin_convertvector(safe, Ints);
  const Ints half = exponent / 2;
  const Floats scale_a = reinterpret_cast<Floats>((half + 127) << 23);
  const Floats scale_b = reinterpret_cast<Floats>((exponent - half + 127) << 23);
  return p * scale_a * scale_b;
#endif
}

/// e^x, as exp_f32. `nonpositive`: for x <= 0 (or not a number), with the same result.
template <bool nonpositive = false> KERN_INLINE Floats exp_lanes(Floats x) {
  const Floats low = every_lane(-87.33654f);
  const Floats high = every_lane(88.72283f);
  Floats clamped = larger(low, x);
  if constexpr (!nonpositive) clamped = smaller(high, clamped);
  const Floats n = round_lanes(clamped * every_lane(0x1.715476p+0f));
  Floats r = fused_lanes(n, every_lane(-0x1.62e4p-1f), clamped);
  r = fused_lanes(n, every_lane(-0x1.7f7d1cp-20f), r);
  Floats p = every_lane(1.0f / 5040.0f);
  p = fused_lanes(p, r, every_lane(1.0f / 720.0f));
  p = fused_lanes(p, r, every_lane(1.0f / 120.0f));
  p = fused_lanes(p, r, every_lane(1.0f / 24.0f));
  p = fused_lanes(p, r, every_lane(1.0f / 6.0f));
  p = fused_lanes(p, r, every_lane(0.5f));
  p = fused_lanes(p, r, every_lane(1.0f));
  p = fused_lanes(p, r, every_lane(1.0f));
  Floats value = times_power_of_two(p, n);
  if constexpr (!nonpositive) value = x > high ? bits_to_floats(every_lane(0x7F800000u)) : value;
  return x < low ? Floats{} : value;
}

/// gate = gate / (1 + e^-gate) * up, as silu_f32
void activate_silu(const float* up, float* gate, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + lane_count <= count; i += lane_count) {
    const auto x = load_vector<Floats>(gate + i);
    const Floats silu = x / (every_lane(1.0f) + exp_lanes(-x));
    store_vector(gate + i, silu * load_vector<Floats>(up + i));
  }
  for (; i < count; ++i) gate[i] = silu_f32(gate[i]) * up[i];
}
