// One token times rows as they lie in the file, for matrices that have no room in another layout: a row's codes in
// order meet the token's, lane i is columns 4 * i and on, and its sums are added up across lanes. Zen 4, tokens/s,
// interleaved anew for every token and this way: Q8_0 10 and 22, Q4_0 12 and 16, Q6_K 9 and 16, IQ2_XXS 3 and 5.

/// Columns at a time: whole blocks of every format.
constexpr int row_columns = 256;
constexpr int row_vectors = row_columns / 4 / lane_count;

/// Sums of up to row_columns columns.
template <class Traits> struct RowSums {
  static constexpr int blocks = row_columns / Traits::width;
  static constexpr int groups = row_columns / Traits::group;
  static constexpr int group_lanes = Traits::group / 4;

  Ints lanes[row_vectors];

  /// codes, x [256]
  KERN_INLINE RowSums(const std::int8_t* codes, const std::int8_t* x) {
    unroll<row_vectors>([&](auto v) __attribute__((always_inline)) {
      constexpr int at = v * lane_count * 4;
      lanes[v] = dot_signed(Ints{}, load_vector<Words>(codes + at), load_vector<Words>(x + at));
    });
  }
  /// sum [groups]
  KERN_INLINE void of_groups(std::int32_t* sum) const {
    alignas(64) std::int32_t each[row_columns / 4];
    unroll<row_vectors>([&](auto v) __attribute__((always_inline)) { store_vector(each + v * lane_count, lanes[v]); });
    for (int g = 0; g < groups; ++g) {
      sum[g] = 0;
      for (int i = 0; i < group_lanes; ++i) sum[g] += each[g * group_lanes + i];
    }
  }
  /// The sum over all groups, each times its scale.
  KERN_INLINE std::int32_t scaled(const std::int16_t* scales) const {
    alignas(64) std::int32_t of_lanes[row_columns / 4];
    for (int g = 0; g < groups; ++g)
      for (int i = 0; i < group_lanes; ++i) of_lanes[g * group_lanes + i] = scales[g];
    Ints total{};
    unroll<row_vectors>([&](auto v) __attribute__((always_inline)) {
      total += lanes[v] * load_vector<Ints>(of_lanes + v * lane_count);
    });
    return sum_of_lanes(total);
  }
};

/// The minimums of groups times the sums of their activations, of which x_sums has those of 16 each.
template <class Traits, int groups>
KERN_INLINE float minimums_product(const std::int16_t* minimums, const std::int16_t* x_sums) {
  constexpr int sixteens = Traits::group / 16;
  std::int16_t each[groups * sixteens];
  for (int i = 0; i < groups * sixteens; ++i) each[i] = minimums[i / sixteens];
  std::int32_t sum = 0;
  for (int i = 0; i < groups * sixteens; ++i) sum += each[i] * x_sums[i];
  return static_cast<float>(sum);
}

/// A block of 256 whose groups have whole scales, in the canonical arithmetic of kernels/backend.h.
template <class Traits>
KERN_INLINE float whole_block_product(const typename Traits::Block& block, const RowSums<Traits>& sums,
                                      const std::int16_t* x_sums) {
  constexpr int groups = Traits::width / Traits::group;
  std::int16_t scales[groups];
  if constexpr (Traits::has_min) {
    std::int16_t minimums[groups];
    float min_scale;
    Traits::unpack_scales(block, scales, minimums, &min_scale);
    const float s = static_cast<float>(sums.scaled(scales)) * Traits::block_scale(block);
    return fused(-minimums_product<Traits, groups>(minimums, x_sums), min_scale, s);
  } else {
    Traits::unpack_scales(block, scales);
    return static_cast<float>(sums.scaled(scales)) * Traits::block_scale(block);
  }
}

/// A block with a float scale a group: the sums of its groups, each rounding block added to `result`.
template <class Traits>
KERN_INLINE float float_block_product(const typename Traits::Block& block, const std::int32_t* sums,
                                      const std::int16_t* x_sums, const float* x_scales, float result) {
  constexpr int roundings = Traits::width / rounding_block<Traits>;
  constexpr int groups = rounding_groups<Traits>;
  float scales[roundings * groups];
  std::int16_t minimums[roundings * groups];
  float min_scale = 0.0f;
  if constexpr (Traits::has_min) float_scales<Traits>(block, scales, minimums, &min_scale);
  else float_scales<Traits>(block, scales);
  for (int r = 0; r < roundings; ++r) {
    float s = 0.0f;
    for (int g = r * groups; g < (r + 1) * groups; ++g) {
      const auto sum = static_cast<float>(sums[g]);
      s = groups == 1 ? sum * scales[g] : fused(sum, scales[g], s);
    }
    if constexpr (Traits::has_min) {
      static_assert(roundings == 1);
      s = fused(-minimums_product<Traits, groups>(minimums, x_sums), min_scale, s);
    }
    result = fused(s, x_scales[r], result);
  }
  return result;
}

/// `blocks` blocks of a row, at most row_columns columns, times x from there on, added to `result`.
template <class Traits>
KERN_INLINE float row_run_product(const typename Traits::Block* row, int blocks, const QuantizedRows& x, float result) {
  alignas(64) std::int8_t codes[row_columns];
  alignas(64) std::int8_t padded[row_columns];
  const std::int8_t* x_codes = x.codes;
  for (int b = 0; b < blocks; ++b) Traits::unpack_codes(row[b], codes + b * Traits::width);
  if (const int columns = blocks * Traits::width; columns < row_columns) {
    __builtin_memset(codes + columns, 0, static_cast<std::size_t>(row_columns - columns));
    __builtin_memset(padded, 0, sizeof padded);
    __builtin_memcpy(padded, x.codes, static_cast<std::size_t>(columns));
    x_codes = padded;
  }
  const RowSums<Traits> sums(codes, x_codes);
  if constexpr (sums_whole<Traits>) {
    result = fused(whole_block_product<Traits>(*row, sums, x.sums), x.scales[0], result);
  } else {
    std::int32_t of_groups[RowSums<Traits>::groups];
    sums.of_groups(of_groups);
    for (int b = 0; b < blocks; ++b) {
      const int column = b * Traits::width;
      result = float_block_product<Traits>(row[b], of_groups + column / Traits::group, x.sums + column / 16,
                                           x.scales + column / rounding_block<Traits>, result);
    }
  }
  return result;
}

/// A thread's share of a product with one token.
template <class Traits> void product_share_rows(const ProductShare& share) {
  const int blocks = share.columns / Traits::width;
  constexpr int at_once = RowSums<Traits>::blocks;
  for (std::int64_t r = share.row_begin; r < share.row_end; ++r) {
    const auto* row =
        reinterpret_cast<const typename Traits::Block*>(share.weights + static_cast<std::size_t>(r) * share.row_bytes);
    QuantizedRows x = share.quantized;
    float result = 0.0f;
    for (int b = 0; b < blocks; b += at_once) {
      result = row_run_product<Traits>(row + b, blocks - b < at_once ? blocks - b : at_once, x, result);
      x.codes += row_columns;
      x.scales += row_columns / rounding_block<Traits>;
      x.sums += row_columns / 16;
    }
    share.out[r] = result;
  }
}
