// Rows of quantized blocks -> int8 codes and scales. The codecs of quant/ say what a block means; the formats below
// have the same in vectors of bytes, because compilers unroll the scalar loops before they would vectorize them (Q4_0
// decode: 1.3 tokens/s scalar on a TinyLlama shape). A test holds both to the same codes.

using Bytes16 = std::uint8_t __attribute__((vector_size(16)));
using Bytes32 = std::uint8_t __attribute__((vector_size(32)));

template <class Vector> KERN_INLINE Vector load_bytes(const void* from) {
  Vector value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
template <class Vector> KERN_INLINE void store_bytes(std::int8_t* to, Vector value) {
  __builtin_memcpy(to, &value, sizeof value);
}

KERN_INLINE void unpack_vectors(const Q8_0::Block& block, std::int8_t* codes) {
  store_bytes(codes, load_bytes<Bytes32>(block.codes));
}

KERN_INLINE void unpack_vectors(const Q4_0::Block& block, std::int8_t* codes) {
  const auto packed = load_bytes<Bytes16>(block.codes);
  store_bytes(codes, (packed & 15) - 8);
  store_bytes(codes + 16, (packed >> 4) - 8);
}

KERN_INLINE void unpack_vectors(const Q4_K::Block& block, std::int8_t* codes) {
  for (int pair = 0; pair < 4; ++pair) {
    const auto packed = load_bytes<Bytes32>(block.codes + pair * 32);
    store_bytes(codes + pair * 64, packed & 15);
    store_bytes(codes + pair * 64 + 32, packed >> 4);
  }
}

KERN_INLINE void unpack_vectors(const Q5_K::Block& block, std::int8_t* codes) {
  auto high = load_bytes<Bytes32>(block.high);
  for (int pair = 0; pair < 4; ++pair, high >>= 2) {
    const auto packed = load_bytes<Bytes32>(block.codes + pair * 32);
    store_bytes(codes + pair * 64, (packed & 15) | ((high & 1) << 4));
    store_bytes(codes + pair * 64 + 32, (packed >> 4) | ((high & 2) << 3));
  }
}

KERN_INLINE void unpack_vectors(const Q6_K::Block& block, std::int8_t* codes) {
  for (int run = 0; run < 2; ++run) {
    const auto first = load_bytes<Bytes32>(block.low + run * 64);
    const auto second = load_bytes<Bytes32>(block.low + run * 64 + 32);
    const auto high = load_bytes<Bytes32>(block.high + run * 32);
    std::int8_t* out = codes + run * 128;
    store_bytes(out, ((first & 15) | ((high & 3) << 4)) - 32);
    store_bytes(out + 32, ((second & 15) | ((high & 12) << 2)) - 32);
    store_bytes(out + 64, ((first >> 4) | (high & 48)) - 32);
    store_bytes(out + 96, ((second >> 4) | ((high >> 6) << 4)) - 32);
  }
}

/// Where a row is unpacked to.
struct UnpackedRow {
  std::int8_t* codes; // [columns]
  float* scales;      // [columns / group]
  std::int16_t* mins; // [columns / group]
  float* min_scales;  // [columns / width]
};

template <class Traits> KERN_INLINE void unpack_row(const std::byte* bytes, int columns, const UnpackedRow& row) {
  constexpr int groups = Traits::width / Traits::group;
  const auto* blocks = reinterpret_cast<const typename Traits::Block*>(bytes);
  for (int b = 0; b < columns / Traits::width; ++b) {
    if constexpr (Traits::has_min)
      Traits::unpack_scales(blocks[b], row.scales + b * groups, row.mins + b * groups, row.min_scales + b);
    else Traits::unpack_scales(blocks[b], row.scales + b * groups);
    std::int8_t* codes = row.codes + b * Traits::width;
    if constexpr (requires { unpack_vectors(blocks[b], codes); }) unpack_vectors(blocks[b], codes);
    else Traits::unpack_codes(blocks[b], codes);
  }
}
