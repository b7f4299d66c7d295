// Attention of kernels/cuda, executed on the host, against the CPU backend with ==.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tests/device_cache.h"

namespace kern {

namespace {

using test::OnDevice;
using test::PagedCache;
using test::StepRows;

/// A layer's shape, its cache and the rows of a step.
struct AttentionCase {
  AttentionShape shape; // heads, KV heads, key and value dimensions, window, scale
  Format keys = Format::f16;
  Format values = Format::f16;
  StepRows rows;
  std::vector<int> lengths; // of the sequences
};

StepRows rows_of(int sequence, std::initializer_list<int> positions) {
  StepRows rows;
  for (const int position : positions) rows.add(sequence, position);
  return rows;
}

/// Equal bits, or both not a number: which one differs between devices.
bool same_numbers(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (float_bits(a[i]) != float_bits(b[i]) && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return true;
}

/// A number put among the keys and another among the values of position 70 of the first sequence; 0: none.
struct Damage {
  float key = 0.0f;
  float value = 0.0f;
};
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinite = std::numeric_limits<float>::infinity();
constexpr Damage damages[] = {{not_a_number, 0.0f}, {infinite, 0.0f}, {-infinite, 0.0f}, {0.0f, not_a_number}};

/// What a case has on both sides, the cache filled by the CPU backend.
struct BothSides {
  explicit BothSides(const AttentionCase& from, const Damage& damage = {})
      : c(from), cache({c.shape.kv_heads, c.shape.key_dim, c.shape.value_dim}, c.keys, c.values,
                       static_cast<int>(c.lengths.size()),
                       (*std::max_element(c.lengths.begin(), c.lengths.end()) + 63) / 64 + 1) {
    StepRows all;
    for (std::size_t s = 0; s < c.lengths.size(); ++s)
      for (int p = 0; p < c.lengths[s]; ++p) all.add(static_cast<int>(s), p);
    const int n = all.count();
    const int key_columns = c.shape.kv_heads * c.shape.key_dim;
    const int value_columns = c.shape.kv_heads * c.shape.value_dim;
    auto k = random_floats(static_cast<std::size_t>(n * key_columns), 11);
    auto v = random_floats(static_cast<std::size_t>(n * value_columns), 12);
    if (damage.key != 0.0f) k[static_cast<std::size_t>(key_columns * 70 + 1)] = damage.key;
    if (damage.value != 0.0f) v[static_cast<std::size_t>(value_columns * 70 + 1)] = damage.value;
    cpu.store_kv(cache.layer(), cache.step(all), {k.data(), n, key_columns}, {v.data(), n, value_columns});
    q = random_floats(static_cast<std::size_t>(c.rows.count() * c.shape.heads * c.shape.key_dim), 13);
    StepLimits limits = test::test_limits(c.rows.count(), 256);
    limits.queries_per_key = c.shape.heads / c.shape.kv_heads;
    cpu.reserve(limits);
    expected.resize(static_cast<std::size_t>(c.rows.count() * c.shape.heads * c.shape.value_dim));
    cpu.attention(c.shape, cache.layer(), cache.step(c.rows),
                  {q.data(), c.rows.count(), c.shape.heads * c.shape.key_dim},
                  {expected.data(), c.rows.count(), c.shape.heads * c.shape.value_dim});
    layer = cache.layer(on.copy(cache.pool));
    step = cache.step_on(on, c.rows);
    q_on = on.copy(q);
    out = on.array<float>(expected.size());
    scratch = on.array<std::byte>(cuda::split_attention_bytes(c.shape, c.rows.count(), step.pages_per_sequence));
  }

  /// What the last kernel wrote mustn't look like the next one's.
  void forget() {
    const std::vector<float> nothing(expected.size(), -1.0f);
    on.device().copy_in(nothing.data(), reinterpret_cast<std::byte*>(out), nothing.size() * sizeof(float));
  }
  std::vector<float> split() {
    forget();
    cuda::launch_split_attention(on.device(), c.shape, layer, step, q_on, out, scratch);
    return on.read(out, expected.size());
  }

  std::vector<float> tile() {
    forget();
    cuda::launch_tile_attention(on.device(), c.shape, layer, step, q_on, out);
    return on.read(out, expected.size());
  }

  AttentionCase c;
  PagedCache cache;
  OnDevice on;
  CpuBackend cpu{1};
  std::vector<float> q, expected;
  KvLayer layer;
  StepInputs step;
  const float* q_on = nullptr;
  float* out = nullptr;
  std::byte* scratch = nullptr;
};

AttentionCase case_of(int group, int kv_heads, int key_dim, int value_dim, int window, StepRows rows,
                      std::vector<int> lengths, Format keys = Format::f16, Format values = Format::f16) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(key_dim));
  return {{group * kv_heads, kv_heads, key_dim, value_dim, window, scale},
          keys,
          values,
          std::move(rows),
          std::move(lengths)};
}

struct CacheTypes {
  Format keys, values;
};
constexpr CacheTypes cache_types[] = {{Format::f32, Format::f32},   {Format::f16, Format::f16},
                                      {Format::q8_0, Format::q8_0}, {Format::q4_0, Format::q4_0},
                                      {Format::q4_0, Format::f16},  {Format::f32, Format::q8_0}};

struct HeadSize {
  int key, value;
};
constexpr HeadSize head_sizes[] = {{16, 16},   {20, 6},    {64, 64},   {80, 80}, {96, 112},
                                   {128, 128}, {192, 128}, {256, 256}, {34, 192}};

/// Rows of prompts: sequences one after the other, by position.
StepRows prompt_rows(std::initializer_list<std::pair<int, int>> runs) {
  StepRows rows;
  int sequence = 0;
  for (const auto& [begin, end] : runs) {
    for (int p = begin; p < end; ++p) rows.add(sequence, p);
    ++sequence;
  }
  return rows;
}

} // namespace

TEST_CASE("device: attention of generated tokens equals the CPU's: format x window x position, scattered pages") {
  for (const CacheTypes& formats : cache_types)
    for (const int window : {0, 5, 64, 100}) {
      CAPTURE(static_cast<int>(formats.keys));
      CAPTURE(static_cast<int>(formats.values));
      CAPTURE(window);
      StepRows rows = rows_of(1, {0, 63, 64, 65, 199, 128});
      rows.add(0, 69);
      BothSides both(case_of(3, 2, 64, 96, window, rows, {70, 200}, formats.keys, formats.values));
      test::in_every_order([&] { CHECK(same_numbers(both.split(), both.expected)); });
    }
}

TEST_CASE("device: attention of generated tokens equals the CPU's: head sizes x queries of a KV head") {
  for (const HeadSize& size : head_sizes)
    for (const int group : {1, 4, 7}) {
      CAPTURE(size.key);
      CAPTURE(group);
      BothSides both(case_of(group, 1, size.key, size.value, 0, rows_of(0, {149}), {150}));
      CHECK(same_numbers(both.split(), both.expected));
    }
  for (const int group : {2, 8, 9, 16, 21}) {
    CAPTURE(group);
    BothSides both(case_of(group, 2, 64, 64, 0, rows_of(0, {100, 3}), {101}));
    CHECK(same_numbers(both.split(), both.expected));
  }
}

TEST_CASE("device: attention of a long text, more chunks than the device has warps, in spans when merged") {
  for (const int group : {1, 8}) {
    CAPTURE(group);
    BothSides both(case_of(group, 1, 16, 16, 0, rows_of(0, {40000}), {40001}));
    CHECK(same_numbers(both.split(), both.expected));
  }
}

TEST_CASE("device: a recorded step attends at the positions that are there when it is replayed") {
  BothSides early(case_of(3, 2, 32, 32, 0, rows_of(0, {5, 64}), {400}));
  BothSides late(case_of(3, 2, 32, 32, 0, rows_of(0, {399, 128}), {400})); // the same cache and queries
  early.on.device().begin_recording();
  cuda::launch_split_attention(early.on.device(), early.c.shape, early.layer, early.step, early.q_on, early.out,
                               early.scratch);
  const auto recording = early.on.device().end_recording();
  for (const BothSides* at : {&early, &late, &early}) {
    early.on.device().copy_in(at->c.rows.positions.data(),
                              reinterpret_cast<std::byte*>(const_cast<std::int32_t*>(early.step.position)),
                              at->c.rows.positions.size() * sizeof(std::int32_t));
    early.on.device().replay(*recording);
    CHECK(same_numbers(early.on.read(early.out, early.expected.size()), at->expected));
  }
}

TEST_CASE("device: what is no number changes the results that see it, and no others") {
  for (const Damage& damage : damages) {
    BothSides both(case_of(2, 1, 32, 32, 30, rows_of(0, {60, 69, 70, 75, 99, 100, 127, 149}), {150}), damage);
    int none = 0;
    for (const float value : both.expected) none += std::isnan(value) ? 1 : 0;
    CHECK(none > 0);
    CHECK(none <= 3 * 2 * 32);
    test::in_every_order([&] {
      CHECK(same_numbers(both.split(), both.expected));
      CHECK(same_numbers(both.tile(), both.expected));
    });
    // A chunk that lies before all of a tile's rows, and in the window of some.
    BothSides later(case_of(2, 1, 32, 32, 70, prompt_rows({{130, 150}}), {150}), damage);
    CHECK(same_numbers(later.tile(), later.expected));
  }
}

TEST_CASE("device: attention of prompts equals the CPU's: format x window, several sequences in one tile") {
  for (const CacheTypes& formats : cache_types)
    for (const int window : {0, 5, 64, 100}) {
      CAPTURE(static_cast<int>(formats.keys));
      CAPTURE(static_cast<int>(formats.values));
      CAPTURE(window);
      const StepRows rows = prompt_rows({{0, 70}, {120, 150}, {3, 4}, {60, 66}});
      BothSides both(case_of(2, 2, 64, 96, window, rows, {70, 150, 4, 66}, formats.keys, formats.values));
      CHECK(same_numbers(both.tile(), both.expected));
    }
  const StepRows rows = prompt_rows({{100, 130}, {60, 66}});
  BothSides both(case_of(3, 1, 32, 32, 70, rows, {130, 66}));
  test::in_every_order([&] { CHECK(same_numbers(both.tile(), both.expected)); });
}

TEST_CASE("device: attention of prompts equals the CPU's: head sizes x queries of a KV head") {
  for (const HeadSize& size : head_sizes) {
    CAPTURE(size.key);
    BothSides both(case_of(3, 2, size.key, size.value, 0, prompt_rows({{125, 150}}), {150}));
    CHECK(same_numbers(both.tile(), both.expected));
  }
  for (const int group : {1, 7, 16, 71}) {
    CAPTURE(group);
    BothSides both(case_of(group, 1, 16, 16, 0, prompt_rows({{60, 75}}), {75}));
    CHECK(same_numbers(both.tile(), both.expected));
  }
}

TEST_CASE("device: attention of a token doesn't depend on whether it is prompt or generated") {
  for (const CacheTypes& formats : cache_types) {
    BothSides both(case_of(4, 1, 64, 64, 90, prompt_rows({{190, 210}}), {210}, formats.keys, formats.values));
    CHECK(same_bits(both.tile(), both.split()));
  }
}

} // namespace kern
