// One row of any format as floats.

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
