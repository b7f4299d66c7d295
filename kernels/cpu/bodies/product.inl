// Matrix products in the canonical arithmetic of kernels/backend.h. Weights stay in the file's layout: a row is
// unpacked once into int8 codes (or floats) and then meets every token.

/// Where a row is unpacked to.
struct UnpackedRow {
  std::int8_t* codes; // [columns]
  float* scales;      // [columns / group]
  std::int16_t* mins; // [columns / group]
  float* min_scales;  // [columns / width]
};

KERN_INLINE UnpackedRow carve_scratch(std::byte* scratch, int columns) {
  // 1 + 4/16 + 2/16 + 4/256 bytes a weight: within product_scratch_bytes().
  UnpackedRow row;
  row.scales = reinterpret_cast<float*>(scratch);
  row.min_scales = row.scales + columns / 16;
  row.mins = reinterpret_cast<std::int16_t*>(row.min_scales + columns / 32);
  row.codes = reinterpret_cast<std::int8_t*>(row.mins + columns / 16);
  return row;
}

template <class Traits> KERN_INLINE void unpack_row(const std::byte* bytes, int columns, const UnpackedRow& row) {
  constexpr int groups = Traits::width / Traits::group;
  const auto* blocks = reinterpret_cast<const typename Traits::Block*>(bytes);
  for (int b = 0; b < columns / Traits::width; ++b) {
    if constexpr (Traits::has_min)
      Traits::unpack(blocks[b], row.codes + b * Traits::width, row.scales + b * groups, row.mins + b * groups,
                     row.min_scales + b);
    else Traits::unpack(blocks[b], row.codes + b * Traits::width, row.scales + b * groups);
  }
}

/// Exact integer dot product of `count` codes.
template <int count> KERN_INLINE std::int32_t dot_i8(const std::int8_t* a, const std::int8_t* b) {
  std::int32_t sum = 0;
  for (int i = 0; i < count; ++i) sum += static_cast<std::int32_t>(a[i]) * static_cast<std::int32_t>(b[i]);
  return sum;
}

template <class Traits>
KERN_INLINE float product_quantized(const UnpackedRow& row, int columns, const QuantizedRows& x, int token) {
  constexpr int block = Traits::width; // activations are rounded in blocks of the weights' width
  constexpr int group = Traits::group;
  constexpr int groups = block / group;
  const std::int8_t* codes = x.codes + static_cast<std::ptrdiff_t>(token) * columns;
  const float* scales = x.scales + static_cast<std::ptrdiff_t>(token) * (columns / block);
  const std::int16_t* sums = x.sums + static_cast<std::ptrdiff_t>(token) * (columns / 16);
  float result = 0.0f;
  for (int b = 0; b < columns / block; ++b) {
    float s = 0.0f;
    for (int g = 0; g < groups; ++g) {
      const std::int32_t sum = dot_i8<group>(row.codes + b * block + g * group, codes + b * block + g * group);
      s = fused(static_cast<float>(sum), row.scales[b * groups + g], s);
    }
    if constexpr (Traits::has_min) {
      std::int32_t minimums = 0;
      for (int g = 0; g < groups; ++g) {
        std::int32_t sum = 0;
        for (int i = 0; i < group / 16; ++i) sum += sums[(b * block + g * group) / 16 + i];
        minimums += sum * row.mins[b * groups + g];
      }
      s = fused(-static_cast<float>(minimums), row.min_scales[b], s);
    }
    result = fused(s, scales[b], result);
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
