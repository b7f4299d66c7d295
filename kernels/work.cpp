#include "kernels/work.h"

#include <algorithm>

#include "quant/formats.h"

namespace kern {

Work& Work::operator+=(const Work& other) {
  weight_bytes += other.weight_bytes;
  cache_bytes += other.cache_bytes;
  int8_multiply_adds += other.int8_multiply_adds;
  fp32_multiply_adds += other.fp32_multiply_adds;
  return *this;
}

Work lookup_work(const Weight& table, int tokens) {
  Work work;
  work.weight_bytes =
      row_bytes(table.format, static_cast<std::size_t>(table.columns)) * static_cast<std::uint64_t>(tokens);
  return work;
}

Work product_work(const Weight& weight, int tokens) {
  Work work;
  work.weight_bytes =
      row_bytes(weight.format, static_cast<std::size_t>(weight.columns)) * static_cast<std::uint64_t>(weight.rows);
  const std::uint64_t multiply_adds =
      static_cast<std::uint64_t>(weight.rows * weight.columns) * static_cast<std::uint64_t>(tokens);
  (find_format(weight.format)->is_float ? work.fp32_multiply_adds : work.int8_multiply_adds) = multiply_adds;
  return work;
}

Work attention_work(const AttentionShape& shape, const KvView& cache, std::span<const std::int32_t> positions,
                    std::span<const std::int32_t> sequences) {
  const auto first_seen = [&](int position) { return shape.window ? std::max(0, position - shape.window + 1) : 0; };
  std::uint64_t keys_read = 0; // once for all queries of a sequence
  std::uint64_t keys_met = 0;  // by every query
  for (std::size_t begin = 0, end = 0; begin < positions.size(); begin = end) {
    int lowest = first_seen(positions[begin]);
    int highest = positions[begin];
    for (end = begin; end < positions.size() && sequences[end] == sequences[begin]; ++end) {
      const int first = first_seen(positions[end]);
      keys_met += static_cast<std::uint64_t>(positions[end] - first + 1);
      lowest = std::min(lowest, first);
      highest = std::max(highest, positions[end]);
    }
    keys_read += static_cast<std::uint64_t>(highest - lowest + 1);
  }
  const std::size_t head_bytes = PageLayout::vector_bytes(cache.key_format, shape.key_dim) +
                                 PageLayout::vector_bytes(cache.value_format, shape.value_dim);
  Work work;
  work.cache_bytes = keys_read * static_cast<std::uint64_t>(shape.kv_heads) * head_bytes;
  work.fp32_multiply_adds = keys_met * static_cast<std::uint64_t>(shape.heads * (shape.key_dim + shape.value_dim));
  return work;
}

Bound least_time(const Work& work, const Limits& limits) {
  const auto seconds = [](std::uint64_t amount, double most) {
    return amount ? static_cast<double>(amount) / most : 0.0;
  };
  const double read = seconds(work.bytes(), limits.read_bytes);
  const double int8 = seconds(work.int8_multiply_adds, limits.int8_multiply_adds);
  const double fp32 = seconds(work.fp32_multiply_adds, limits.fp32_multiply_adds);
  if (read == 0.0 && int8 + fp32 == 0.0) return {};
  if (read >= int8 + fp32) return {"read", read};
  return {int8 >= fp32 ? "int8" : "fp32", int8 + fp32};
}

} // namespace kern
