// Products with float weights: 16 lanes strided along k, then the tree. Few tokens take rows of weights as they lie,
// the lanes of a sum side by side in registers. Many tokens take them turned: for each lane an ordinary matrix product
// of the columns that belong to it, a vector of rows times one number of a token, whose sum stays in a register all
// along k. Lanes come in the order in which the tree adds them, so that only four sums of each output wait.

/// Sixteen weights of a row, or the part of them that fits a vector.
template <class Traits> KERN_INLINE Floats load_weights(const std::byte* row, int k) {
  if constexpr (Traits::id == Format::f32) return load_vector<Floats>(row + 4 * static_cast<std::ptrdiff_t>(k));
  const std::uint16_t* at = reinterpret_cast<const std::uint16_t*>(row) + k;
  if constexpr (Traits::id == Format::f16) return load_halves(at);
  else return bits_to_floats(load_shorts(at) << 16);
}

template <class Traits> KERN_INLINE float load_weight(const std::byte* row, int k) {
  float weight;
  Traits::decode(reinterpret_cast<const typename Traits::Block*>(row)[k], &weight);
  return weight;
}

/// R rows times T tokens straight from the file's layout. Reads ahead to the next R rows; on Zen 4 into the second
/// level, which is worth 15% (F16 12.1 -> 13.6 tokens/s).
template <class Traits, int R, int T> KERN_INLINE void direct_tile(const ProductShare& share, std::int64_t row, int t) {
  constexpr int parts = 16 / lane_count;
  constexpr int bytes_each = static_cast<int>(sizeof(typename Traits::Block));
  const std::byte* rows = share.weights + static_cast<std::size_t>(row) * share.row_bytes;
  const float* x = share.x + static_cast<std::ptrdiff_t>(t) * share.columns;
  Floats sum[R * T * parts] = {};
  const int whole = share.columns / 16 * 16;
  for (int k = 0; k < whole; k += 16) {
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      prefetch_into(share.ahead, rows + (r + R) * share.row_bytes + k * bytes_each);
    });
    unroll<parts>([&](auto p) __attribute__((always_inline)) {
      const int from = k + p * lane_count;
      Floats values[T];
      unroll<T>([&](auto i) __attribute__((always_inline)) {
        values[i] = load_vector<Floats>(x + static_cast<std::ptrdiff_t>(i) * share.columns + from);
        hold(values[i]);
      });
      unroll<R>([&](auto r) __attribute__((always_inline)) {
        const Floats weights = load_weights<Traits>(rows + r * share.row_bytes, from);
        unroll<T>([&](auto i) __attribute__((always_inline)) {
          Floats& to = sum[(r * T + i) * parts + p];
          to = fused_lanes(weights, values[i], to);
        });
      });
    });
  }
  unroll<R * T>([&](auto i) __attribute__((always_inline)) {
    alignas(64) float lane[16];
    for (int p = 0; p < parts; ++p) store_vector(lane + p * lane_count, sum[i * parts + p]);
    const float* values = x + static_cast<std::ptrdiff_t>(i % T) * share.columns;
    for (int k = whole; k < share.columns; ++k)
      lane[k - whole] = fused(load_weight<Traits>(rows + i / T * share.row_bytes, k), values[k], lane[k - whole]);
    share.out[(t + i % T) * share.out_stride + row + i / T] = tree_sum(lane);
  });
}

/// Tokens that share a row's weights: 16 sums of 16 lanes in 32 registers, or 6 in two vectors each.
constexpr int direct_tokens = lane_count == 16 ? 4 : 2;
/// Rows at a time. One token: F16 on two cores 11.9 tokens/s with eight, 11.3 with four, 10.9 with sixteen.
constexpr int direct_rows(int tokens) {
  if (tokens == 1) return lane_count == 16 ? 8 : 4;
  return lane_count == 16 ? 4 : 3;
}

template <class Traits, int R> void direct_rows_product(const ProductShare& share, std::int64_t row) {
  int t = 0;
  for (; t + direct_tokens <= share.tokens; t += direct_tokens) direct_tile<Traits, R, direct_tokens>(share, row, t);
  for (; t < share.tokens; ++t) direct_tile<Traits, R, 1>(share, row, t);
}

template <class Traits> void direct_product(const ProductShare& share) {
  std::int64_t row = share.row_begin;
  if (share.tokens == 1)
    for (; row + direct_rows(1) <= share.row_end; row += direct_rows(1))
      direct_tile<Traits, direct_rows(1), 1>(share, row, 0);
  else
    for (; row + direct_rows(2) <= share.row_end; row += direct_rows(2))
      direct_rows_product<Traits, direct_rows(2)>(share, row);
  for (; row < share.row_end; ++row) direct_rows_product<Traits, 1>(share, row);
}

// Registers: with 32, 24 sums, 3 vectors of weights and a number of a token; with 16, 12 sums.
#if defined(__AVX512VNNI__) || defined(__aarch64__)
constexpr int float_tokens = 8;
#else
constexpr int float_tokens = 4;
#endif
constexpr int float_tile_rows = 3 * lane_count;
static_assert(arranged_unit % float_tokens == 0 && float_panel_rows % float_tile_rows == 0);

/// Calls f(first token, integral constant T) for the tiles of tokens [begin, end), where begin is a multiple of
/// arranged_unit: whole ones, then halves of them down to single tokens.
template <class F> KERN_INLINE void each_float_tile(int begin, int end, F&& f) {
  int t = begin;
  for (; t + float_tokens <= end; t += float_tokens) f(t, std::integral_constant<int, float_tokens>{});
  if constexpr (float_tokens > 4)
    if (t + 4 <= end) {
      f(t, std::integral_constant<int, 4>{});
      t += 4;
    }
  if (t + 2 <= end) {
    f(t, std::integral_constant<int, 2>{});
    t += 2;
  }
  if (t < end) f(t, std::integral_constant<int, 1>{});
}

/// Tokens [begin, end) of all `rows` into their tiles, [16 lanes][float_lane_steps(columns)][T] each. `begin` and `end`
/// are multiples of arranged_unit, or the end of all.
void arrange(const float* x, int columns, int begin, int end, float* out) {
  alignas(64) float from[16 * 16] = {};
  alignas(64) std::uint32_t turned[16 * 16];
  each_float_tile(
      begin, end, [&](int t, auto tokens) __attribute__((always_inline)) {
        const std::ptrdiff_t lane = float_lane_steps(columns) * tokens;
        float* to = out + t * 16 * float_lane_steps(columns);
        for (int k = 0; k < columns; k += 16, to += tokens) {
          const std::size_t count = columns - k < 16 ? static_cast<std::size_t>(columns - k) : 16;
          for (int i = 0; i < tokens; ++i)
            __builtin_memcpy(from + i * 16, x + static_cast<std::ptrdiff_t>(t + i) * columns + k,
                             count * sizeof(float));
          transpose_words(reinterpret_cast<const std::uint32_t*>(from), 16, turned, 16);
          for (int l = 0; l < 16; ++l) __builtin_memcpy(to + l * lane, turned + l * 16, tokens * sizeof(float));
        }
      });
}

/// The lane that comes `index`-th, its bits reversed: 0, 8, 4, 12, 2, ... A tree of neighbours in this order is the
/// tree of lane l + lane l + 8, + 4, + 2, + 1.
constexpr int lane_at(int index) { return (index & 1) << 3 | (index & 2) << 1 | (index & 4) >> 1 | index >> 3; }

/// Lanes [first, last) in that order, of rows of weights as vectors: [lane][k / 16 + 1][rows], lanes ascending.
struct TurnedWeights {
  float* data;
  int rows; // a multiple of 16
  int first, last;
  std::ptrdiff_t lane; // numbers from a lane to the next

  /// Where the lane that comes `index`-th begins.
  KERN_INLINE float* at(int index) const { return data + lane_at(index) * (last - first) / 16 * lane; }
};

/// Columns [k, k + count) of a row as floats.
template <class Traits> KERN_INLINE void widen_run(const std::byte* row, int k, int count, float* out) {
  int i = 0;
  for (; i + lane_count <= count; i += lane_count) store_vector(out + i, load_weights<Traits>(row, k + i));
  for (; i < count; ++i) out[i] = load_weight<Traits>(row, k + i);
}

/// Up to to.rows rows; missing ones become anything.
template <class Traits>
void turn_weights(const ProductShare& share, std::int64_t row, int rows, const TurnedWeights& to) {
  constexpr int run = 64;          // two lines of halves
  constexpr int stride = run + 16; // rows a power of two apart would share few sets of the cache
  constexpr int bytes_each = static_cast<int>(sizeof(typename Traits::Block));
  alignas(64) float wide[16 * stride] = {};
  alignas(64) std::uint32_t turned[16 * 16];
  for (int r = 0; r < rows; r += 16) {
    const int some = rows - r < 16 ? rows - r : 16;
    const std::byte* from = share.weights + static_cast<std::size_t>(row + r) * share.row_bytes;
    for (int k = 0; k < share.columns; k += run) {
      const int count = share.columns - k < run ? share.columns - k : run;
      for (int i = 0; i < some; ++i) {
        const std::byte* at = from + static_cast<std::size_t>(i) * share.row_bytes;
        for (int line = 0; line < run * bytes_each; line += 64) prefetch(at + (k + run) * bytes_each + line);
        widen_run<Traits>(at, k, count, wide + i * stride);
      }
      for (int b = 0; b < count; b += 16) {
        const auto* block = reinterpret_cast<const std::uint32_t*>(wide + b);
        const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(k + b) / 16 * to.rows + r;
        if (to.last - to.first == 16) {
          transpose_words(block, stride, reinterpret_cast<std::uint32_t*>(to.data + step), to.lane);
          continue;
        }
        transpose_words(block, stride, turned, 16);
        for (int i = to.first; i < to.last; ++i)
          __builtin_memcpy(to.at(i) + step, turned + lane_at(i) * 16, 16 * sizeof(float));
      }
    }
  }
}

/// Weights that will be turned next, brought closer while others are multiplied: some bytes with every step.
struct ReadAhead {
  const std::byte* next;
  std::ptrdiff_t step; // 0: nothing
};

struct FloatTile {
  const TurnedWeights& weights;
  int row = 0;               // of them, the tile's first
  int first = 0, last = 0;   // lanes, in the order of lane_at(), that are due
  int begin = 0, end = 0;    // steps of them that are due
  const float* x = nullptr;  // arranged
  std::ptrdiff_t x_lane = 0; // numbers from a lane to the next
  int columns = 0;
  ReadAhead& ahead;
  float* under_way = nullptr; // [T][V]: sums of a lane between its steps
  float* waiting = nullptr;   // [4][T][V]: sums of 1, 2, 4 and 8 lanes
  float* out = nullptr;       // [T][out_stride]
  std::int64_t out_stride = 0;
  int rows = 0; // of V vectors, those that are asked for
};

/// V vectors of rows times T tokens for the lanes that are due. Not inlined: within a larger function the compiler runs
/// out of registers. AVX-512 reads ahead: weights, which the second-level cache holds, by eight steps (F16, 2048 x 2048
/// by 512: 67.5 and 71.7 G multiply-adds/s), activations, which it doesn't, by 128 (a prompt of 512 on two cores: 118
/// and 129 tokens/s). Where tiles take turns, those of the next tile are read ahead (AVX2 on Zen 4, 5632 columns by 512
/// tokens: 39 and 47 G of 56; a prompt of 512 on two cores 71 and 79 tokens/s).
template <int V, int T> [[gnu::noinline]] void float_tile(const FloatTile& tile) {
  const TurnedWeights& weights = tile.weights;
  ReadAhead ahead = tile.ahead;
  for (int index = tile.first; index < tile.last; ++index) {
    const int steps = (tile.columns - lane_at(index) + 15) / 16;
    const int last_step = tile.end < steps ? tile.end : steps;
    const float* w = weights.at(index) + tile.row + static_cast<std::ptrdiff_t>(tile.begin) * weights.rows;
    const float* x = tile.x + lane_at(index) * tile.x_lane;
    const float* end = x + last_step * T;
    x += tile.begin * T;
    Floats sum[V * T] = {};
    if (tile.begin > 0)
      unroll<V * T>([&](auto i) __attribute__((always_inline)) {
        sum[i] = load_vector<Floats>(tile.under_way + i * lane_count);
      });
    for (; x < end; x += T, w += weights.rows) {
      prefetch(x + (lane_count == 16 ? 128 * T : 16 * tile.x_lane));
      prefetch_second_level(ahead.next);
      ahead.next += ahead.step;
      Floats rows[V];
      unroll<V>([&](auto v) __attribute__((always_inline)) {
        if constexpr (lane_count == 16) prefetch(w + 8 * weights.rows + v * lane_count);
        rows[v] = load_vector<Floats>(w + v * lane_count);
        hold(rows[v]);
      });
      unroll<T>([&](auto t) __attribute__((always_inline)) {
        Floats value = every_lane(x[t]);
        if constexpr (!multiplies_by_element) hold(value);
        unroll<V>([&](auto v)
                      __attribute__((always_inline)) { sum[t * V + v] = fused_lanes(rows[v], value, sum[t * V + v]); });
      });
    }
    if (tile.end < float_lane_steps(tile.columns)) {
      unroll<V * T>([&](auto i)
                        __attribute__((always_inline)) { store_vector(tile.under_way + i * lane_count, sum[i]); });
      continue;
    }
    // As a binary counter: what waits at a level is met by the next sum of as many lanes.
    float* waits = tile.waiting;
    for (int done = index; done & 1; done >>= 1, waits += V * T * lane_count)
      unroll<V * T>([&](auto i) __attribute__((always_inline)) {
        sum[i] = load_vector<Floats>(waits + i * lane_count) + sum[i];
      });
    if (index < 15) {
      unroll<V * T>([&](auto i) __attribute__((always_inline)) { store_vector(waits + i * lane_count, sum[i]); });
    } else if (tile.rows == V * lane_count) {
      unroll<V * T>([&](auto i) __attribute__((always_inline)) {
        store_vector(tile.out + i / V * tile.out_stride + i % V * lane_count, sum[i]);
      });
    } else {
      alignas(64) float results[V * T * lane_count];
      unroll<V * T>([&](auto i) __attribute__((always_inline)) { store_vector(results + i * lane_count, sum[i]); });
      for (int t = 0; t < T; ++t)
        for (int r = 0; r < tile.rows; ++r) tile.out[t * tile.out_stride + r] = results[t * V * lane_count + r];
    }
  }
  tile.ahead.next = ahead.next;
}

/// Up to 48 rows at hand.
struct FloatPanel {
  std::int64_t row;
  int rows;
  TurnedWeights weights;
  float* waiting; // of tokens from the first on, if some lanes are still to come; else of any tile
  ReadAhead ahead;
};

/// The tiles of so many tokens take turns for each lane, so that its weights are read from the second-level cache once
/// for all of them: tiles of 24 rows and 4 tokens alone would take 16 bytes a cycle from there. AVX2, one core of Zen
/// 4, F16 by 256 tokens, medians in G multiply-adds/s of 56: 2048 columns 42 and 45, 5632 columns 29 and 37. Tiles of
/// AVX-512 need half as much, and gain nothing.
constexpr int float_group = lane_count == 16 ? float_tokens : float_group_tokens;
static_assert(float_group % arranged_unit == 0 && float_group % float_tokens == 0);
/// And for at most so many steps of a lane, whose weights the first-level cache holds, for all rows of the panel before
/// the next: in a quieter minute 5632 columns 43.6 and 46.7, 2048 columns 49.
constexpr int float_run = 160;

/// A tile of the panel: T tokens from `t` on, one of those from `group` on that take turns.
template <int T>
KERN_INLINE void run_float_tile(FloatTile& tile, const ProductShare& share, const FloatPanel& panel, int t, int group) {
  const std::ptrdiff_t steps = float_lane_steps(share.columns);
  tile.x = share.x + t * 16 * steps;
  tile.x_lane = steps * T;
  tile.out = share.out + t * share.out_stride + panel.row + tile.row;
  tile.waiting = panel.waiting + static_cast<std::ptrdiff_t>(t - group) * 4 * float_panel_rows + 4 * tile.row * T;
  if (tile.rows > 2 * lane_count) float_tile<3, T>(tile);
  else if (tile.rows > lane_count) float_tile<2, T>(tile);
  else float_tile<1, T>(tile);
}

/// All rows of the panel with tokens [begin, end), for the lanes and steps that are due. Sums wait as those of tokens
/// from `waiting` on.
KERN_INLINE void run_float_tiles(FloatTile& tile, const ProductShare& share, const FloatPanel& panel, int begin,
                                 int end, int waiting, float* under_way) {
  for (tile.row = 0; tile.row < panel.rows; tile.row += float_tile_rows) {
    tile.rows = panel.rows - tile.row < float_tile_rows ? panel.rows - tile.row : float_tile_rows;
    each_float_tile(
        begin, end, [&](int t, auto tokens) __attribute__((always_inline)) {
          tile.under_way = under_way + (t - begin) * float_panel_rows + tile.row * tokens;
          run_float_tile<tokens>(tile, share, panel, t, waiting);
        });
  }
}

/// The panel times tokens [begin, end); then the `next` weights are due. They are read ahead while the last tiles are
/// multiplied, neither so early that activations displace them nor faster than memory gives them: half a line a step.
KERN_INLINE void float_panel(const ProductShare& share, FloatPanel& panel, int begin, int end,
                             std::span<const std::byte> next) {
  constexpr int line_part = 32;
  constexpr bool by_lane = float_group > float_tokens;
  const TurnedWeights& weights = panel.weights;
  const int calls = (panel.rows + float_tile_rows - 1) / float_tile_rows;
  const auto each_tile = static_cast<std::size_t>(share.columns) * static_cast<std::size_t>(calls * line_part);
  const auto tiles = static_cast<std::int64_t>((next.size() + each_tile - 1) / each_tile);
  const bool waits = weights.last - weights.first < 16; // for lanes that aren't there yet
  const auto steps = static_cast<int>(float_lane_steps(share.columns));
  const int runs = by_lane ? (steps + float_run - 1) / float_run : 1;
  const int run = (steps + runs - 1) / runs;
  alignas(64) float under_way[float_group * float_panel_rows];
  panel.ahead = {reinterpret_cast<const std::byte*>(weights.data), 0};
  FloatTile tile{.weights = weights, .columns = share.columns, .ahead = panel.ahead, .out_stride = share.out_stride};
  for (int group = begin; group < end; group += float_group) {
    const int group_end = group + float_group < end ? group + float_group : end;
    if (panel.ahead.step == 0 && group + tiles * float_tokens >= end && tiles > 0)
      panel.ahead = {next.data(), line_part};
    for (tile.first = weights.first; tile.first < weights.last; tile.first = tile.last) {
      tile.last = by_lane ? tile.first + 1 : weights.last;
      for (tile.begin = 0; tile.begin < steps; tile.begin = tile.end) {
        tile.end = tile.begin + run < steps ? tile.begin + run : steps;
        run_float_tiles(tile, share, panel, group, group_end, waits ? begin : group, under_way);
      }
    }
  }
}

template <class Traits> void turned_product(const ProductShare& share) {
  const int at_once = float_lanes(share.columns);
  const int most_tokens = at_once == 16 ? share.tokens : float_waiting_tokens;
  auto* waiting = reinterpret_cast<float*>(share.scratch);
  FloatPanel panel{0, 0, {waiting + float_waiting(share.columns), 0, 0, 0, 0}, waiting, {}};
  TurnedWeights& weights = panel.weights;
  for (int begin = 0; begin < share.tokens; begin += most_tokens) {
    const int end = share.tokens - begin < most_tokens ? share.tokens : begin + most_tokens;
    for (panel.row = share.row_begin; panel.row < share.row_end; panel.row += panel.rows) {
      const std::int64_t left = share.row_end - panel.row;
      // Two panels of 32 rather than one of 48 and one of 16, whose vectors meet too few tokens.
      panel.rows = static_cast<int>(left > float_panel_rows && left <= 64 ? 32
                                    : left < float_panel_rows             ? left
                                                                          : float_panel_rows);
      weights.rows = (panel.rows + 15) / 16 * 16;
      weights.lane = ((share.columns + 15) / 16 + 1) * static_cast<std::ptrdiff_t>(weights.rows);
      for (weights.first = 0; weights.first < 16; weights.first = weights.last) {
        weights.last = weights.first + at_once;
        turn_weights<Traits>(share, panel.row, panel.rows, weights);
        const std::int64_t next = weights.last < 16 ? panel.row : panel.row + panel.rows;
        const std::int64_t rows = share.row_end - next < panel.rows ? share.row_end - next : panel.rows;
        float_panel(share, panel, begin, end,
                    {share.weights + static_cast<std::size_t>(next) * share.row_bytes,
                     static_cast<std::size_t>(rows) * share.row_bytes});
      }
    }
  }
}

template <class Traits> void product_share_float(const ProductShare& share) {
  if (share.tokens <= float_direct_tokens) direct_product<Traits>(share);
  else turned_product<Traits>(share);
}
