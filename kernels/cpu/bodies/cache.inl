// Pages of the KV cache: storing a position, and reading a head's 64 keys or values back as floats.

/// One block of 32 numbers as ggml rounds them to q8_0 or q4_0 (ties to even): codes (q4_0: 0..15, standing for
/// code - 8) and the scale.
KERN_INLINE Half round_cache_block(Format format, const float* x, std::uint8_t* codes) {
  float largest = 0.0f; // by magnitude, with its sign
  for (int i = 0; i < cache_block; ++i) {
    const float magnitude = x[i] < 0.0f ? -x[i] : x[i];
    const float top = largest < 0.0f ? -largest : largest;
    // NaN: not below either; what follows takes its place.
    if (!(magnitude <= top)) largest = x[i];
  }
  const bool four_bits = format == Format::q4_0;
  const float scale = four_bits ? largest / -8.0f : (largest < 0.0f ? -largest : largest) / 127.0f;
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  for (int i = 0; i < cache_block; ++i) {
    const float value = x[i] * inverse;
    // Not finite: any code; the scale carries it into the result.
    const float limited = value > -128.0f && value < 128.0f ? round_even(value) : 0.0f;
    const auto code = static_cast<std::int32_t>(limited);
    codes[i] = static_cast<std::uint8_t>(four_bits ? (code + 8 < 15 ? code + 8 : 15) : code);
  }
  return to_half(scale);
}

/// Where the numbers of one position's vector stand: element (dim, slot) in keys or values of a head with `dims`
/// dimensions (for q4_0 codes: with dims / 2 bytes).
struct CachePlace {
  bool is_key;
  int slot;
  int dims;

  KERN_INLINE int index(int dim, int of) const { return is_key ? key_index(dim, slot) : value_index(slot, dim, of); }
};

KERN_INLINE void store_halves_of(std::byte* head, const CachePlace& place, const float* x) {
  auto* to = reinterpret_cast<std::uint16_t*>(head);
  int d = 0;
  for (; d + lane_count <= place.dims; d += lane_count) {
    std::uint16_t halves[lane_count];
    store_halves(halves, load_vector<Floats>(x + d));
    for (int i = 0; i < lane_count; ++i) to[place.index(d + i, place.dims)] = halves[i];
  }
  for (; d < place.dims; ++d) to[place.index(d, place.dims)] = to_half(x[d]).bits;
}

KERN_INLINE void store_vector_of(Format format, std::byte* head, const CachePlace& place, const float* x) {
  if (format == Format::f32) {
    for (int d = 0; d < place.dims; ++d) reinterpret_cast<float*>(head)[place.index(d, place.dims)] = x[d];
    return;
  }
  if (format == Format::f16) return store_halves_of(head, place, x);
  const bool four_bits = format == Format::q4_0;
  const int bytes = four_bits ? place.dims / 2 : place.dims;
  auto* codes_of = reinterpret_cast<std::uint8_t*>(head);
  auto* scales = reinterpret_cast<Half*>(head + bytes * page_positions);
  for (int block = 0; block < place.dims / cache_block; ++block) {
    std::uint8_t codes[cache_block];
    scales[place.index(block, place.dims / cache_block)] = round_cache_block(format, x + block * cache_block, codes);
    if (four_bits)
      for (int i = 0; i < 16; ++i)
        codes_of[place.index(block * 16 + i, bytes)] = static_cast<std::uint8_t>(codes[i] | (codes[i + 16] << 4));
    else
      for (int i = 0; i < cache_block; ++i) codes_of[place.index(block * cache_block + i, bytes)] = codes[i];
  }
}

void store_position(const KvView& view, std::byte* page, int slot, const float* k, const float* v) {
  const KvShape& shape = view.shape;
  for (int h = 0; h < shape.heads; ++h) {
    const auto head = static_cast<std::size_t>(h);
    store_vector_of(view.key_format, page + view.keys + head * view.key_stride, {true, slot, shape.key_dim},
                    k + h * shape.key_dim);
    store_vector_of(view.value_format, page + view.values + head * view.value_stride, {false, slot, shape.value_dim},
                    v + h * shape.value_dim);
  }
}

/// So many of 16 codes of a cache block as floats: signed bytes, or halves of bytes that stand for code - 8.
KERN_INLINE Floats signed_codes(const std::uint8_t* codes) {
  return to_floats(as_ints(load_bytes_wide(codes) ^ 0x80u) - 0x80);
}
KERN_INLINE Floats half_codes(const std::uint8_t* codes, int shift) {
  return to_floats(as_ints((load_bytes_wide(codes) >> shift) & 15u) - 8);
}

/// A block's keys [32][64], `codes` [32][64] or of four bits [16][64], each position's by its own of `scales` [64].
template <bool four_bits> KERN_INLINE void load_key_block(const std::uint8_t* codes, const Half* scales, float* out) {
  for (int slot = 0; slot < page_positions; slot += lane_count) {
    const Floats scale = load_halves(reinterpret_cast<const std::uint16_t*>(scales) + slot);
    for (int i = 0; i < cache_block; ++i) {
      const std::uint8_t* from = codes + (four_bits ? i % 16 : i) * page_positions + slot;
      const Floats code = four_bits ? half_codes(from, i < 16 ? 0 : 4) : signed_codes(from);
      store_vector(out + i * page_positions + slot, scale * code);
    }
  }
}

/// Keys of a head, [key_dim][64] in any format, as floats of the same shape.
void load_keys(Format format, const std::byte* head, int dims, float* out) {
  if (format == Format::f32) {
    __builtin_memcpy(out, head, static_cast<std::size_t>(dims * page_positions) * sizeof(float));
    return;
  }
  if (format == Format::f16) return decode_halves(reinterpret_cast<const Half*>(head), dims * page_positions, out);
  const bool four_bits = format == Format::q4_0;
  const int block_bytes = (four_bits ? cache_block / 2 : cache_block) * page_positions;
  const int blocks = dims / cache_block;
  const auto* codes = reinterpret_cast<const std::uint8_t*>(head);
  const auto* scales = reinterpret_cast<const Half*>(codes + block_bytes * blocks);
  for (int b = 0; b < blocks; ++b, out += cache_block * page_positions) {
    if (four_bits) load_key_block<true>(codes + b * block_bytes, scales + b * page_positions, out);
    else load_key_block<false>(codes + b * block_bytes, scales + b * page_positions, out);
  }
}

/// A position's block of values, 32 codes.
template <bool four_bits> KERN_INLINE void load_value_block(const std::uint8_t* codes, Half scale_bits, float* out) {
  const Floats scale = every_lane(to_float(scale_bits));
  for (int i = 0; i < cache_block; i += lane_count) {
    const Floats code = four_bits ? half_codes(codes + i % 16, i < 16 ? 0 : 4) : signed_codes(codes + i);
    store_vector(out + i, scale * code);
  }
}

/// Values of a head, [64][value_dim] in any format, as floats [64][stride]: value_dim rounded up to 16, zeros behind
/// it.
void load_values(Format format, const std::byte* head, int dims, int stride, float* out) {
  const bool four_bits = format == Format::q4_0;
  const int blocks = dims / cache_block;
  const int block_bytes = four_bits ? cache_block / 2 : cache_block;
  const auto* codes = reinterpret_cast<const std::uint8_t*>(head);
  const auto* scales = reinterpret_cast<const Half*>(codes + block_bytes * blocks * page_positions);
  for (int slot = 0; slot < page_positions; ++slot, out += stride) {
    if (dims < stride) __builtin_memset(out + stride - 16, 0, 16 * sizeof *out);
    if (format == Format::f32)
      __builtin_memcpy(out, head + static_cast<std::size_t>(slot * dims) * sizeof(float),
                       static_cast<std::size_t>(dims) * sizeof(float));
    else if (format == Format::f16) decode_halves(reinterpret_cast<const Half*>(head) + slot * dims, dims, out);
    else
      for (int b = 0; b < blocks; ++b, ++scales, codes += block_bytes) {
        if (four_bits) load_value_block<true>(codes, *scales, out + b * cache_block);
        else load_value_block<false>(codes, *scales, out + b * cache_block);
      }
  }
}
