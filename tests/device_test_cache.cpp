// Rotation, norm of heads and storing of keys and values by kernels/cuda, executed on the host, against the CPU
// backend.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "tests/device_cache.h"

namespace kern {

namespace {

using test::OnDevice;
using test::PagedCache;
using test::StepRows;

/// The first and last slots of pages, in two sequences.
StepRows rows_at_edges() {
  StepRows rows;
  for (const int position : {0, 63, 64, 65, 130}) rows.add(1, position);
  for (const int position : {1, 127}) rows.add(0, position);
  return rows;
}

struct CacheFormats {
  Format keys, values;
};
constexpr CacheFormats cache_formats[] = {{Format::f32, Format::f32},   {Format::f16, Format::f16},
                                          {Format::q8_0, Format::q8_0}, {Format::q4_0, Format::q4_0},
                                          {Format::q8_0, Format::q4_0}, {Format::f16, Format::q8_0}};

/// Numbers among which are all kinds that rounding treats in its own way, a block of 32 each.
std::vector<float> awkward_floats(std::size_t count, unsigned seed) {
  constexpr float none = std::numeric_limits<float>::quiet_NaN();
  constexpr float endless_number = std::numeric_limits<float>::infinity();
  auto x = random_floats(count, seed);
  for (std::size_t block = 0; (block + 1) * 32 <= count; ++block) {
    float* b = x.data() + block * 32;
    switch (block % 16) {
    case 0: std::fill(b, b + 32, 0.0f); break;
    case 1: b[7] = -9.0f, b[20] = 9.0f; break; // equal magnitudes: the first counts
    case 2: b[20] = -9.0f, b[7] = 9.0f; break;
    case 3: b[31] = none; break;
    case 4: b[5] = none, b[3] = 100.0f; break;
    case 5: std::fill(b, b + 32, -0.0f), b[4] = none; break;
    case 6: b[9] = endless_number; break;
    case 7: b[9] = -endless_number; break;
    case 8: // ties of rounding
      for (int i = 0; i < 32; ++i) b[i] = 0.5f * static_cast<float>(i - 16);
      b[0] = -127.0f;
      break;
    case 9:
      for (int i = 0; i < 32; ++i) b[i] *= 1e-42f;
      break;
    case 10:
      for (int i = 0; i < 32; ++i) b[i] *= 1e6f; // too large for f16
      break;
    case 11: std::fill(b, b + 32, -0.0f); break;
    default: break;
    }
  }
  return x;
}

struct RopeOnBoth {
  std::vector<double> frequencies;
  Rope host, device;

  RopeOnBoth(OnDevice& on, RopePairs pairs, int dims) {
    for (int i = 0; i < dims / 2; ++i) frequencies.push_back(std::pow(10000.0, -2.0 * i / dims));
    host = Rope{pairs, dims, 1.1f, frequencies.data()};
    device = host;
    device.frequencies = on.copy(frequencies);
  }
};

std::vector<std::byte> bytes_of(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// Norm, rotation and storing of one shape on both sides.
void check_fused(const CacheFormats& formats, bool norm_query, bool norm_key, std::optional<RopePairs> pairs) {
  const KvShape shape{3, 64, 96};
  const int heads = 6;
  OnDevice on;
  CpuBackend cpu(1);
  PagedCache cache(shape, formats.keys, formats.values, 2, 3);
  const StepRows rows = rows_at_edges();
  const int n = rows.count();
  const auto count = [&](int columns) { return static_cast<std::size_t>(n * columns); };
  auto q = random_floats(count(heads * shape.key_dim), 1);
  auto k = random_floats(count(shape.heads * shape.key_dim), 2);
  auto v = random_floats(count(shape.heads * shape.value_dim), 3);
  const auto query_norm = random_floats(64, 4);
  const auto key_norm = random_floats(64, 5);
  const auto query_bytes = bytes_of(query_norm);
  const auto key_bytes = bytes_of(key_norm);
  const auto query_weight = cpu.bind({"q", Format::f32, 1, 64, query_bytes}, WeightUse::vector);
  const auto key_weight = cpu.bind({"k", Format::f32, 1, 64, key_bytes}, WeightUse::vector);
  const RopeOnBoth rope(on, pairs.value_or(RopePairs::halves), 48); // the rest of a head stays
  std::vector<float> table(count(48));
  cpu.rope_table(rope.host, cache.step(rows), {table.data(), n, 48});

  std::byte* pool = on.copy(cache.pool);
  const StepInputs step = cache.step_on(on, rows);
  const float* query_norm_on = norm_query ? on.copy(query_norm) : nullptr;
  const float* key_norm_on = norm_key ? on.copy(key_norm) : nullptr;
  const float* v_on = on.copy(v);
  const float* table_on = on.copy(table);
  const auto q_before = q, k_before = k;
  const auto pool_before = cache.pool;
  cpu.norm_rotate_store({norm_query ? query_weight.get() : nullptr, norm_key ? key_weight.get() : nullptr, 1e-6f},
                        pairs ? &rope.host : nullptr, {table.data(), n, 48}, cache.layer(), cache.step(rows),
                        {q.data(), n, heads * shape.key_dim}, {k.data(), n, shape.heads * shape.key_dim},
                        {v.data(), n, shape.heads * shape.value_dim});
  test::in_every_order([&] {
    float* q_on = on.copy(q_before);
    float* k_on = on.copy(k_before);
    on.device().copy_in(pool_before.data(), pool, pool_before.size());
    cuda::launch_norm_rotate_store(on.device(), query_norm_on, key_norm_on, 1e-6f, pairs ? &rope.device : nullptr,
                                   table_on, cache.layer(pool), step, heads, q_on, k_on, v_on);
    CHECK(same_bits(on.read(q_on, q.size()), q));
    CHECK(same_bits(on.read(k_on, k.size()), k));
    CHECK(on.read(pool, cache.pool.size()) == cache.pool);
  });
}

} // namespace

TEST_CASE("device: stored keys and values are the CPU's: format x head sizes, numbers of every kind") {
  CpuBackend cpu(1);
  for (const CacheFormats& formats : cache_formats)
    for (const KvShape& shape : {KvShape{3, 64, 96}, KvShape{1, 32, 160}, KvShape{5, 20, 6}}) {
      if (!PageLayout::holds(formats.keys, shape.key_dim) || !PageLayout::holds(formats.values, shape.value_dim))
        continue;
      CAPTURE(static_cast<int>(formats.keys));
      CAPTURE(static_cast<int>(formats.values));
      CAPTURE(shape.key_dim);
      PagedCache cache(shape, formats.keys, formats.values, 2, 3);
      const StepRows rows = rows_at_edges();
      const int n = rows.count();
      auto k = awkward_floats(static_cast<std::size_t>(n * shape.heads * shape.key_dim), 7);
      auto v = awkward_floats(static_cast<std::size_t>(n * shape.heads * shape.value_dim), 8);
      OnDevice on;
      std::byte* pool = on.copy(cache.pool);
      const auto before = cache.pool;
      cpu.store_kv(cache.layer(), cache.step(rows), {k.data(), n, shape.heads * shape.key_dim},
                   {v.data(), n, shape.heads * shape.value_dim});
      REQUIRE(cache.pool != before);
      const StepInputs step = cache.step_on(on, rows);
      const float* k_on = on.copy(k);
      const float* v_on = on.copy(v);
      test::in_every_order([&] {
        on.device().copy_in(before.data(), pool, before.size());
        cuda::launch_store_kv(on.device(), cache.layer(pool), step, k_on, v_on);
        CHECK(on.read(pool, cache.pool.size()) == cache.pool);
      });
    }
}

TEST_CASE("device: norm, rotation and storing in one pass equal the CPU's, each part there or not") {
  for (const CacheFormats& formats : cache_formats) {
    CAPTURE(static_cast<int>(formats.keys));
    check_fused(formats, true, true, RopePairs::halves);
  }
  const CacheFormats f16{Format::f16, Format::f16};
  check_fused(f16, true, true, RopePairs::adjacent);
  check_fused(f16, false, false, RopePairs::adjacent);
  check_fused(f16, false, true, std::nullopt);
  check_fused(f16, true, false, std::nullopt);
  check_fused(f16, false, false, std::nullopt);
}

TEST_CASE("device: cosines and sines, and rotation by them, are the CPU's") {
  CpuBackend cpu(1);
  for (const RopePairs pairs : {RopePairs::halves, RopePairs::adjacent})
    for (const int dims : {2, 48, 300}) {
      CAPTURE(dims);
      OnDevice on;
      const RopeOnBoth rope(on, pairs, dims);
      StepRows rows;
      for (const int position : {0, 1, 4097, 1000003}) rows.add(0, position);
      const int n = rows.count();
      const int head_dim = dims + 8;
      const int heads = 3;
      StepInputs step;
      step.tokens = n;
      step.position = rows.positions.data();
      std::vector<float> table(static_cast<std::size_t>(n * dims));
      auto x = random_floats(static_cast<std::size_t>(n * heads * head_dim), 9);
      const auto before = x;
      cpu.rope_table(rope.host, step, {table.data(), n, dims});
      cpu.rotate(rope.host, {table.data(), n, dims}, head_dim, {x.data(), n, heads * head_dim});
      auto* table_on = on.array<float>(table.size());
      const auto* positions = on.copy(rows.positions);
      test::in_every_order([&] {
        float* x_on = on.copy(before);
        cuda::launch_rope_table(on.device(), rope.device, positions, n, table_on);
        cuda::launch_rotate(on.device(), rope.device, table_on, n, heads, head_dim, x_on);
        CHECK(same_bits(on.read(table_on, table.size()), table));
        CHECK(same_bits(on.read(x_on, x.size()), x));
      });
    }
}

} // namespace kern
