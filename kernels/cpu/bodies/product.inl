// Matrix products in the canonical arithmetic of kernels/backend.h. Weights stay in the file's layout: a row is
// unpacked once into int8 codes (or floats) and then meets every token.

KERN_INLINE UnpackedRow carve_scratch(std::byte* scratch, int columns) {
  // 1 + 4/16 + 2/16 + 4/256 bytes a weight: within product_scratch_bytes().
  UnpackedRow row;
  row.scales = reinterpret_cast<float*>(scratch);
  row.min_scales = row.scales + columns / 16;
  row.mins = reinterpret_cast<std::int16_t*>(row.min_scales + columns / 32);
  row.codes = reinterpret_cast<std::int8_t*>(row.mins + columns / 16);
  return row;
}

/// Activations are rounded in blocks of 32, or of 256 for formats with blocks of 256.
template <class Traits> constexpr int rounding_block = Traits::width == 256 ? 256 : 32;

/// Sums of minimum times block sum over one block of activations.
template <class Traits> KERN_INLINE std::int32_t minimum_sum(const std::int16_t* mins, const std::int16_t* sums) {
  constexpr int per_group = Traits::group / 16;
  std::int32_t total = 0;
  for (int g = 0; g < rounding_block<Traits> / Traits::group; ++g) {
    std::int32_t sum = 0;
    for (int i = 0; i < per_group; ++i) sum += sums[g * per_group + i];
    total += sum * mins[g];
  }
  return total;
}

/// One output of a row with one token, 256 weights at a time.
template <class Traits>
KERN_INLINE float product_quantized(const UnpackedRow& row, int columns, const QuantizedRows& x, int token) {
  constexpr int block = rounding_block<Traits>;
  constexpr int group = Traits::group;
  constexpr int groups = block / group;
  static_assert(!Traits::has_min || Traits::width == block);
  const std::int8_t* codes = x.codes + static_cast<std::ptrdiff_t>(token) * columns;
  const float* scales = x.scales + static_cast<std::ptrdiff_t>(token) * (columns / block);
  const std::int16_t* sums = x.sums + static_cast<std::ptrdiff_t>(token) * (columns / 16);
  float result = 0.0f;
  const auto add_block = [&](int b, const std::int32_t* group_sum) __attribute__((always_inline)) {
    float s = 0.0f;
    for (int g = 0; g < groups; ++g) s = fused(static_cast<float>(group_sum[g]), row.scales[b * groups + g], s);
    if constexpr (Traits::has_min)
      s = fused(-static_cast<float>(minimum_sum<Traits>(row.mins + b * groups, sums + b * (block / 16))),
                row.min_scales[b], s);
    result = fused(s, scales[b], result);
  };
  const int whole = columns / 256;
  for (int w = 0; w < whole; ++w) {
    std::int32_t group_sum[256 / group];
    group_sums<group>(row.codes + w * 256, codes + w * 256, group_sum);
    for (int b = 0; b < 256 / block; ++b) add_block(w * (256 / block) + b, group_sum + b * groups);
  }
  // Rows of formats with blocks below 256 may end in a part of that.
  for (int b = whole * (256 / block); b < columns / block; ++b) {
    std::int32_t sum[groups];
    for (int g = 0; g < groups; ++g)
      sum[g] = group_sum<group>(row.codes + b * block + g * group, codes + b * block + g * group);
    add_block(b, sum);
  }
  return result;
}

template <class Traits> void product_share_quantized(const ProductShare& share) {
  const UnpackedRow row = carve_scratch(share.scratch, share.columns);
  for (std::int64_t r = share.row_begin; r < share.row_end; ++r) {
    unpack_row<Traits>(share.weights + static_cast<std::size_t>(r) * share.row_bytes, share.columns, row);
    for (int t = 0; t < share.tokens; ++t)
      share.out[t * share.out_stride + r] = product_quantized<Traits>(row, share.columns, share.quantized, t);
  }
}

template <class Traits> KERN_INLINE const float* float_row(const std::byte* bytes, int columns, float* scratch) {
  if constexpr (Traits::id == Format::f32) return reinterpret_cast<const float*>(bytes);
  if constexpr (Traits::id == Format::f16) decode_halves(reinterpret_cast<const Half*>(bytes), columns, scratch);
  if constexpr (Traits::id == Format::bf16)
    for (int i = 0; i < columns; ++i) scratch[i] = to_float(reinterpret_cast<const BFloat16*>(bytes)[i]);
  return scratch;
}

template <class Traits> void product_share_float(const ProductShare& share) {
  auto* scratch = reinterpret_cast<float*>(share.scratch);
  for (std::int64_t r = share.row_begin; r < share.row_end; ++r) {
    const float* row =
        float_row<Traits>(share.weights + static_cast<std::size_t>(r) * share.row_bytes, share.columns, scratch);
    for (int t = 0; t < share.tokens; ++t)
      share.out[t * share.out_stride + r] =
          dot_f32(row, share.x + static_cast<std::ptrdiff_t>(t) * share.columns, share.columns);
  }
}

template <class... Traits>
KERN_INLINE void product_dispatch(Format format, const ProductShare& share, FormatList<Traits...>) {
  const auto one = [&]<class T>(T) {
    if (T::id != format) return;
    if constexpr (T::is_float) product_share_float<T>(share);
    else product_share_quantized<T>(share);
  };
  (one(Traits{}), ...);
}

void product(Format format, const ProductShare& share) { product_dispatch(format, share, Formats{}); }

template <class Traits> KERN_INLINE void decode_row_as(const std::byte* row, int columns, float scale, float* out) {
  const auto* blocks = reinterpret_cast<const typename Traits::Block*>(row);
  for (int b = 0; b < columns / Traits::width; ++b) Traits::decode(blocks[b], out + b * Traits::width);
  if (scale != 1.0f)
    for (int i = 0; i < columns; ++i) out[i] *= scale;
}

template <class... Traits>
KERN_INLINE void decode_row_dispatch(Format format, const std::byte* row, int columns, float scale, float* out,
                                     FormatList<Traits...>) {
  const auto one = [&]<class T>(T) {
    if (T::id == format) decode_row_as<T>(row, columns, scale, out);
  };
  (one(Traits{}), ...);
}

void decode_row(Format format, const std::byte* row, int columns, float scale, float* out) {
  decode_row_dispatch(format, row, columns, scale, out, Formats{});
}
