// Attention over the paged cache, against the canonical definition with == and against a plain softmax in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/math.h"
#include "tests/kernel_helpers.h"

namespace kern {

namespace {

/// What a cache makes of numbers, by ggml's definition of its formats (ties to even).
void read_back(Format format, std::vector<float>& values) {
  if (format == Format::f16)
    for (float& value : values) value = to_float(to_half(value));
  if (format != Format::q8_0 && format != Format::q4_0) return;
  for (auto block = values.begin(); block != values.end(); block += 32) {
    const auto smaller = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    const float largest = *std::max_element(block, block + 32, smaller);
    const float scale = format == Format::q8_0 ? std::fabs(largest) / 127.0f : largest / -8.0f;
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    for (auto value = block; value != block + 32; ++value) {
      const float code = std::nearbyint(*value * inverse);
      *value = to_float(to_half(scale)) * (format == Format::q8_0 ? code : std::min(code, 7.0f));
    }
  }
}

/// Keys and values of some sequences, written through the backend into scattered pages whose unused cells are NaN.
struct Cache {
  Cache(Backend& backend, KvShape shape, Format format, std::vector<int> lengths)
      : layout({KvShape{1, 2, 2}, shape}, format, format), lengths_(lengths) {
    for (const int length : lengths) pages_per_sequence = std::max(pages_per_sequence, (length + 63) / 64);
    const int pages = pages_per_sequence * static_cast<int>(lengths.size()) + 3;
    pool.resize(static_cast<std::size_t>(pages) * layout.bytes(), std::byte{0xFF}); // NaN in f16 and f32
    layer = {pool.data(), 0, layout.view(1)};
    for (std::size_t s = 0; s < lengths.size(); ++s)
      for (int p = 0; p < pages_per_sequence; ++p) // later pages lie before earlier ones
        tables.push_back(pages - 1 - static_cast<int>(s) - p * static_cast<int>(lengths.size()));
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      const int n = lengths[s];
      keys.push_back(
          random_floats(static_cast<std::size_t>(n * shape.heads * shape.key_dim), 31 + static_cast<unsigned>(s)));
      values.push_back(
          random_floats(static_cast<std::size_t>(n * shape.heads * shape.value_dim), 41 + static_cast<unsigned>(s)));
      std::vector<std::int32_t> positions, sequences(static_cast<std::size_t>(n), static_cast<std::int32_t>(s));
      for (int i = 0; i < n; ++i) positions.push_back(i);
      StepInputs step = inputs(n, positions, sequences);
      backend.store_kv(layer, step, {keys.back().data(), n, shape.heads * shape.key_dim},
                       {values.back().data(), n, shape.heads * shape.value_dim});
      read_back(format, keys.back());
      read_back(format, values.back());
    }
  }

  StepInputs inputs(int tokens, const std::vector<std::int32_t>& positions,
                    const std::vector<std::int32_t>& sequences) const {
    StepInputs step;
    step.tokens = tokens;
    step.sequences = static_cast<int>(lengths_.size());
    step.pages_per_sequence = pages_per_sequence;
    step.position = positions.data();
    step.sequence = sequences.data();
    step.page_table = tables.data();
    return step;
  }

  PageLayout layout;
  std::vector<int> lengths_;
  int pages_per_sequence = 0;
  std::vector<std::byte> pool;
  std::vector<std::int32_t> tables;
  KvLayer layer;
  std::vector<std::vector<float>> keys, values; // [sequence][n][heads * dim], as the cache gives them back
};

/// One query head by the definition in kernels/backend.h.
std::vector<float> attend_by_definition(const AttentionShape& shape, const Cache& cache, int sequence, int position,
                                        int kv_head, const float* q) {
  const auto& keys = cache.keys[static_cast<std::size_t>(sequence)];
  const auto& values = cache.values[static_cast<std::size_t>(sequence)];
  const auto dim = static_cast<std::size_t>(shape.value_dim);
  const int first = shape.window && position >= shape.window ? position - shape.window + 1 : 0;
  float total_m = 0, total_l = 0;
  std::vector<float> total(dim);
  for (int chunk = first / 64; chunk <= position / 64; ++chunk) {
    float weight[64] = {};
    float m = -std::numeric_limits<float>::infinity();
    const int begin = std::max(first, chunk * 64), end = std::min(position + 1, chunk * 64 + 64);
    for (int p = begin; p < end; ++p) {
      float score = 0;
      for (int d = 0; d < shape.key_dim; ++d)
        score =
            std::fma(q[d], keys[static_cast<std::size_t>((p * shape.kv_heads + kv_head) * shape.key_dim + d)], score);
      weight[p % 64] = score * shape.scale;
      m = std::max(m, weight[p % 64]);
    }
    for (int p = begin; p < end; ++p) weight[p % 64] = exp_f32(weight[p % 64] - m);
    float lane[16] = {};
    for (int i = 0; i < 64; ++i) lane[i % 16] += weight[i];
    for (int width = 8; width >= 1; width /= 2)
      for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
    std::vector<float> o(dim);
    for (int p = begin; p < end; ++p)
      for (std::size_t d = 0; d < dim; ++d)
        o[d] = std::fma(weight[p % 64], values[static_cast<std::size_t>(p * shape.kv_heads + kv_head) * dim + d], o[d]);
    if (chunk == first / 64) {
      total_m = m;
      total_l = lane[0];
      total = o;
      continue;
    }
    const float top = std::max(total_m, m);
    const float before = exp_f32(total_m - top), added = exp_f32(m - top);
    total_m = top;
    total_l = std::fma(total_l, before, lane[0] * added);
    for (std::size_t d = 0; d < dim; ++d) total[d] = std::fma(total[d], before, o[d] * added);
  }
  for (float& value : total) value /= total_l;
  return total;
}

/// Softmax(scale * q k) v in double.
std::vector<double> attend_plainly(const AttentionShape& shape, const Cache& cache, int sequence, int position,
                                   int kv_head, const float* q) {
  const auto& keys = cache.keys[static_cast<std::size_t>(sequence)];
  const auto& values = cache.values[static_cast<std::size_t>(sequence)];
  const int first = shape.window && position >= shape.window ? position - shape.window + 1 : 0;
  std::vector<double> out(static_cast<std::size_t>(shape.value_dim));
  double sum = 0;
  for (int p = first; p <= position; ++p) {
    double score = 0;
    for (int d = 0; d < shape.key_dim; ++d)
      score += static_cast<double>(q[d]) *
               static_cast<double>(keys[static_cast<std::size_t>((p * shape.kv_heads + kv_head) * shape.key_dim + d)]);
    const double weight = std::exp(score * static_cast<double>(shape.scale));
    sum += weight;
    for (std::size_t d = 0; d < out.size(); ++d)
      out[d] += weight * static_cast<double>(
                             values[static_cast<std::size_t>((p * shape.kv_heads + kv_head) * shape.value_dim) + d]);
  }
  for (double& value : out) value /= sum;
  return out;
}

} // namespace

TEST_CASE(
    "attention equals its definition: format x window x instruction set x threads, several sequences in one step") {
  for (const Format format : {Format::f32, Format::f16, Format::q8_0, Format::q4_0})
    for (const int window : {0, 5, 64, 100}) {
      const bool blocks = format == Format::q8_0 || format == Format::q4_0;
      const int key_dim = blocks ? 64 : 20;
      const int value_dim = blocks ? 96 : 12;
      const AttentionShape shape{6, 2, key_dim, value_dim, window, blocks ? 0.125f : 0.3f};
      CpuBackend writer(1);
      const Cache cache(writer, {2, key_dim, value_dim}, format, {70, 200});
      // A prompt's rows, single tokens and both sequences mixed.
      std::vector<std::int32_t> positions, sequences;
      for (int p = 130; p < 160; ++p) positions.push_back(p), sequences.push_back(1);
      for (const int p : {0, 5, 63, 64, 69}) positions.push_back(p), sequences.push_back(0);
      for (const int p : {199, 128, 1}) positions.push_back(p), sequences.push_back(1);
      const int tokens = static_cast<int>(positions.size());
      auto q = random_floats(static_cast<std::size_t>(tokens * 6 * key_dim), 51);
      const StepInputs step = cache.inputs(tokens, positions, sequences);
      std::vector<float> expected;
      double worst = 0;
      for (int t = 0; t < tokens; ++t)
        for (int h = 0; h < 6; ++h) {
          const auto index = static_cast<std::size_t>(t);
          const float* query = q.data() + (t * 6 + h) * key_dim;
          const auto one = attend_by_definition(shape, cache, sequences[index], positions[index], h / 3, query);
          const auto plain = attend_plainly(shape, cache, sequences[index], positions[index], h / 3, query);
          for (std::size_t d = 0; d < one.size(); ++d)
            worst = std::max(worst, std::abs(static_cast<double>(one[d]) - plain[d]));
          expected.insert(expected.end(), one.begin(), one.end());
        }
      // Values are of order 1 (at most ~4); rounding of 20-term scores and 200-term sums stays far below 1e-4.
      CHECK(worst < 2e-5);
      for (const CpuKernels* kernels : kernel_tables())
        for (const int threads : {1, 2, 4}) {
          CAPTURE(static_cast<int>(format));
          CAPTURE(kernels->name);
          CAPTURE(threads);
          CAPTURE(window);
          CpuBackend backend(threads, *kernels);
          StepLimits limits;
          limits.tokens = tokens;
          limits.queries_per_key = 3;
          limits.key_dim = key_dim;
          limits.value_dim = value_dim;
          backend.reserve(limits);
          std::vector<float> out(expected.size(), NAN);
          backend.attention(shape, cache.layer, step, {q.data(), tokens, 6 * key_dim},
                            {out.data(), tokens, 6 * value_dim});
          CHECK(same_bits(out, expected));
        }
    }
}

TEST_CASE("the fused norm, rotation and store equals its composition") {
  CpuBackend cpu(2);
  PrimitiveBackend primitive(cpu);
  const KvShape shape{2, 8, 8};
  const auto weights = random_floats(8, 61);
  std::vector<std::byte> bytes(weights.size() * sizeof(float));
  std::memcpy(bytes.data(), weights.data(), bytes.size());
  const auto norm = cpu.bind({"norm", Format::f32, 1, 8, bytes}, WeightUse::vector);
  const std::vector<double> frequencies = {1.0, 0.1, 0.01, 0.001};
  const Rope rope{RopePairs::halves, 8, 1.0f, frequencies.data()};
  std::vector<std::int32_t> positions, sequences;
  for (int p = 0; p < 70; ++p) positions.push_back(p), sequences.push_back(0);
  std::vector<std::vector<float>> queries;
  std::vector<std::vector<std::byte>> pools;
  for (Backend* backend : {static_cast<Backend*>(&cpu), static_cast<Backend*>(&primitive)}) {
    Cache cache(cpu, shape, Format::f16, {70});
    const StepInputs step = cache.inputs(70, positions, sequences);
    auto q = random_floats(70 * 32, 62), k = random_floats(70 * 16, 63), v = random_floats(70 * 16, 64);
    std::vector<float> table(70 * 8);
    backend->rope_table(rope, step, {table.data(), 70, 8});
    backend->norm_rotate_store({norm.get(), norm.get(), 1e-6f}, &rope, {table.data(), 70, 8}, cache.layer, step,
                               {q.data(), 70, 32}, {k.data(), 70, 16}, {v.data(), 70, 16});
    queries.push_back(q);
    pools.push_back(cache.pool);
  }
  CHECK(same_bits(queries[0], queries[1]));
  CHECK(pools[0] == pools[1]);
}

} // namespace kern
