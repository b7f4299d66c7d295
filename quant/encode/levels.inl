// The values that codes can have. A set of levels says:
//   nearest(v)      the level nearest to v, each lane
//   digit(level)    its number as the format stores it
//   edges           where the largest value of a group may come to lie among the levels: the scales worth trying.
//                   Beyond the last level is worth it where the largest is alone.

template <std::size_t count> struct Edges {
  float at[count] = {};
};

/// Integers from `low` to `high`, stored from `first` on.
template <int low, int high, int first = 0> struct Integers {
  static constexpr auto edges = [] {
    // The end with one level more is tried from 1.3 steps inside it to 0.9 outside, the other more coarsely.
    Edges<31> e;
    for (int i = 0; i < 23; ++i) e.at[i] = static_cast<float>(low) + 0.1f * static_cast<float>(13 - i);
    for (int i = 0; i < 8; ++i) e.at[23 + i] = static_cast<float>(high) + 0.25f * static_cast<float>(i - 4);
    return e;
  }();
  KERN_INLINE static Lanes nearest(Lanes v) {
    return round_lanes(least(most(v, every(static_cast<float>(low))), every(static_cast<float>(high))));
  }
  KERN_INLINE static Lanes digit(Lanes level) { return level + static_cast<float>(first - low); }
};

/// Integers so many that little is to be gained beside the scale that just holds the largest value.
template <int high, int first> struct FineIntegers : Integers<-high, high, first> {
  static constexpr Edges<3> edges = {{high, high - 0.5f, high + 0.5f}};
};

/// -1, 0 and 1.
struct Ternary : Integers<-1, 1> {
  static constexpr auto edges = [] {
    Edges<32> e; // the largest may be many times the scale
    for (int i = 0; i < 32; ++i) e.at[i] = 0.75f + 0.125f * static_cast<float>(i);
    return e;
  }();
};

/// -1 and 1.
struct SignsOnly {
  static constexpr Edges<1> edges = {{1.0f}}; // any: what the levels are doesn't depend on the scale
  KERN_INLINE static Lanes nearest(Lanes v) { return choose(v < every(0.0f), every(-1.0f), every(1.0f)); }
  KERN_INLINE static Lanes digit(Lanes level) { return 0.5f * (level + 1.0f); }
};

/// The sixteen uneven levels of IQ4_NL and IQ4_XS.
struct Uneven {
  static constexpr float level[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  static constexpr auto edges = [] {
    Edges<24> e;
    for (int i = 0; i < 14; ++i) e.at[i] = -127.0f + 2.5f * static_cast<float>(7 - i);
    for (int i = 0; i < 10; ++i) e.at[14 + i] = 113.0f + 3.0f * static_cast<float>(i - 4);
    return e;
  }();
  KERN_INLINE static Lanes nearest(Lanes v) {
    Lanes found = every(level[0]);
    for (int i = 1; i < 16; ++i) found = choose(v > every(0.5f * (level[i - 1] + level[i])), every(level[i]), found);
    return found;
  }
  KERN_INLINE static Lanes digit(Lanes value) {
    Lanes number{};
    for (int i = 1; i < 16; ++i) number = choose(value == every(level[i]), every(static_cast<float>(i)), number);
    return number;
  }
};

/// Doubled E2M1 floats: 0, 1, 2, 3, 4, 6, 8, 12 and their negatives, which are stored 8 higher.
struct DoubledE2M1 {
  static constexpr float level[8] = {0, 1, 2, 3, 4, 6, 8, 12};
  static constexpr auto edges = [] {
    Edges<24> e;
    for (int i = 0; i < 24; ++i) e.at[i] = 12.0f + 0.5f * static_cast<float>(i - 12);
    return e;
  }();
  KERN_INLINE static Lanes nearest(Lanes v) {
    const Lanes size = magnitude(v);
    Lanes found{};
    for (int i = 1; i < 8; ++i) found = choose(size > every(0.5f * (level[i - 1] + level[i])), every(level[i]), found);
    return choose(v < every(0.0f), -found, found);
  }
  KERN_INLINE static Lanes digit(Lanes value) {
    Lanes number{};
    for (int i = 1; i < 8; ++i)
      number = choose(magnitude(value) == every(level[i]), every(static_cast<float>(i)), number);
    return choose(value < every(0.0f), number + 8.0f, number);
  }
};
