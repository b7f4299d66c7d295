// 16 rows of an interleaved panel times one token, in the canonical arithmetic of kernels/backend.h.

/// One rounding block of a panel with one token, given the exact sums of its groups.
template <class Traits, int first_group, class Header>
KERN_INLINE Floats scale_sums(const Header& header, const Ints* sums, const std::int32_t* corrections) {
  Floats s{};
  if constexpr (sums_whole<Traits>) {
    Ints total{};
    unroll<rounding_groups<Traits>>([&](auto g) __attribute__((always_inline)) {
      total += sums[g] * header.template whole_scale<g>();
    });
    s = to_floats(total) * header.d;
  } else {
    unroll<rounding_groups<Traits>>([&](auto g) __attribute__((always_inline)) {
      const Floats scale = header.template scale<first_group + g>();
      s = g == 0 ? to_floats(sums[first_group]) * scale : fused_lanes(to_floats(sums[first_group + g]), scale, s);
    });
  }
  if constexpr (Traits::has_min) {
    Ints minimums{};
    unroll<corrections_per_block<Traits>>([&](auto p) __attribute__((always_inline)) {
      minimums = dot_pairs(minimums, header.template min_pair<p>(), corrections[p]);
    });
    s = fused_negated(to_floats(minimums), header.min_scale(), s);
  }
  return s;
}

/// out [P * 16]: P interleaved panels, `stride` bytes apart, times one token, straight from the packed codes. Of
/// passing ones, whose bytes are in the cache, a run of columns, added to `out`.
template <class Traits, int P, bool passing = false>
void vector_product(const std::byte* panels, std::size_t stride, int columns, CacheLevel ahead, const TileChunk& x,
                    float* out) {
  using Codec = std::conditional_t<passing, PassingCodec<Traits>, PanelCodec<Traits>>;
  constexpr int groups = Traits::width / Traits::group;
  constexpr int roundings = Traits::width / rounding_block<Traits>;
  constexpr int parts = panel_rows / lane_count;
  constexpr int words = Traits::group / 4;
  constexpr int steps = run_steps(Codec::max_code) < words ? run_steps(Codec::max_code) : words;
  const int blocks = columns / Traits::width;
  Floats result[P * parts] = {};
  if constexpr (passing)
    unroll<P * parts>([&](auto i)
                          __attribute__((always_inline)) { result[i] = load_vector<Floats>(out + i * lane_count); });
  const std::int32_t* x_codes = x.codes;
  const std::int32_t* corrections = x.corrections;
  for (int b = 0; b < blocks; ++b) {
    const auto product_of_part = [&](const std::byte* panel, int part, Floats& to) __attribute__((always_inline)) {
      const PanelSource source = panel_source<Codec>(panel, blocks, b, part * lane_count);
      Ints sums[groups];
      unroll<groups>([&](auto g) __attribute__((always_inline)) {
        if constexpr (halves_bias<Traits>) sums[g] = dot_pairs(Ints{}, every_lane(0x00010001u), corrections[g]);
        else sums[g] = Traits::has_min ? Ints{} : Ints{} + corrections[g];
      });
      Ints run[Traits::width / 4 / steps];
      Codec::codes(
          source, [&](int k, Words codes) __attribute__((always_inline)) {
            Ints& sum = sums[k * 4 / Traits::group];
            Ints& at = run[k / steps];
            if (k % steps == 0) at = start_run<Codec::max_code>(sum);
            at = add_to_run<Codec::max_code>(at, codes, x_codes[k]);
            if (k % steps == steps - 1) sum = end_run<Codec::max_code>(sum, at);
          });
      const typename Codec::Header header(source);
      unroll<roundings>([&](auto r) __attribute__((always_inline)) {
        const Floats s = scale_sums<Traits, r * rounding_groups<Traits>>(header, sums, corrections);
        to = fused_lanes(s, every_lane(x.scales[b * roundings + r]), to);
      });
    };
    unroll<P>([&](auto p) __attribute__((always_inline)) {
      const std::byte* panel = panels + p * stride;
      if (!passing) prefetch_block<Traits>(panel, b, blocks, ahead, (P - 1) * stride);
      // More than two copies of the longest loop body there is only take time to compile and room.
      if constexpr (parts <= 2)
        unroll<parts>([&](auto part)
                          __attribute__((always_inline)) { product_of_part(panel, part, result[p * parts + part]); });
      else
        for (int part = 0; part < parts; ++part) product_of_part(panel, part, result[p * parts + part]);
    });
    x_codes += Traits::width / 4;
    corrections += roundings * corrections_per_block<Traits>;
  }
  unroll<P * parts>([&](auto i) __attribute__((always_inline)) { store_vector(out + i * lane_count, result[i]); });
}
