// The tile registers of AMX. The assembler knows them; no compiler uses them for anything else. (The intrinsics of GCC
// 12 for the configuration lose stores to it.)

KERN_INLINE void configure_tiles(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config)); }
KERN_INLINE void release_tiles() { asm volatile("tilerelease"); }
template <int tile> KERN_INLINE void zero_tile() { asm volatile("tilezero %%tmm%c0" : : "i"(tile)); }
template <int tile> KERN_INLINE void load_tile(const void* from, std::ptrdiff_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile> KERN_INLINE void store_tile(void* to, std::ptrdiff_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(tile) : "memory");
}
/// sums += x * weights: signed bytes, or unsigned weights
template <int sums, int x, int weights, bool unsigned_weights = false> KERN_INLINE void multiply_tiles() {
  if constexpr (unsigned_weights)
    asm volatile("tdpbsud %%tmm%c0, %%tmm%c1, %%tmm%c2" : : "i"(weights), "i"(x), "i"(sums));
  else asm volatile("tdpbssd %%tmm%c0, %%tmm%c1, %%tmm%c2" : : "i"(weights), "i"(x), "i"(sums));
}
/// The same of bfloat16, sums in floats.
template <int sums, int x, int weights> KERN_INLINE void multiply_float_tiles() {
  asm volatile("tdpbf16ps %%tmm%c0, %%tmm%c1, %%tmm%c2" : : "i"(weights), "i"(x), "i"(sums));
}
