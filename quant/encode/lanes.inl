// A lane is a block, and many blocks are encoded side by side: nothing crosses lanes, so their number changes no bit.
// No fused operation is used, because the oldest instruction sets have none.

#if defined(__AVX512F__)
constexpr int lane_count = 16;
#elif defined(__AVX2__)
constexpr int lane_count = 8;
#else
constexpr int lane_count = 4;
#endif

using Lanes = float __attribute__((vector_size(4 * lane_count)));
using Mask = std::int32_t __attribute__((vector_size(4 * lane_count)));

KERN_INLINE Lanes every(float value) { return Lanes{} + value; }
KERN_INLINE Lanes choose(Mask mask, Lanes yes, Lanes no) {
  return reinterpret_cast<Lanes>((reinterpret_cast<Mask>(yes) & mask) | (reinterpret_cast<Mask>(no) & ~mask));
}
KERN_INLINE Lanes magnitude(Lanes v) { return reinterpret_cast<Lanes>(reinterpret_cast<Mask>(v) & 0x7FFFFFFF); }
KERN_INLINE Lanes least(Lanes a, Lanes b) { return choose(a < b, a, b); }
KERN_INLINE Lanes most(Lanes a, Lanes b) { return choose(a > b, a, b); }
/// a / b, and 0 where b is 0.
KERN_INLINE Lanes ratio(Lanes a, Lanes b) {
  const Mask zero = b == every(0.0f);
  return choose(zero, every(0.0f), a / choose(zero, every(1.0f), b));
}
/// To the nearest integer, ties to even; |v| < 2^22.
KERN_INLINE Lanes round_lanes(Lanes v) {
  constexpr float magic = 0x1.8p23f; // a float's last bit is worth 1 here
  return (v + magic) - magic;
}
