#include "model/finite.h"

#include <array>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace kern {

namespace {

template <class Traits> std::optional<std::string> find_as(const TensorInfo& tensor) {
  using Block = typename Traits::Block;
  const std::size_t blocks = tensor.bytes.size() / sizeof(Block);
  std::array<float, Traits::width> weights;
  for (std::size_t b = 0; b < blocks; ++b) {
    Block block;
    std::memcpy(&block, tensor.bytes.data() + b * sizeof(Block), sizeof(Block));
    Traits::decode(block, weights.data());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (std::isfinite(weights[i])) continue;
      const std::uint64_t element = b * Traits::width + i;
      return fmt::format("tensor '{}' holds {} at row {}, column {}", tensor.name, weights[i],
                         element / tensor.columns(), element % tensor.columns());
    }
  }
  return std::nullopt;
}

} // namespace

std::optional<std::string> find_non_finite(const TensorInfo& tensor) {
  std::optional<std::string> found;
  visit_format(tensor.format, [&]<class Traits>(Traits) { found = find_as<Traits>(tensor); });
  return found;
}

std::optional<std::string> find_non_finite(const Gguf& gguf) {
  for (const TensorInfo& tensor : gguf.tensors())
    if (auto found = find_non_finite(tensor)) return found;
  return std::nullopt;
}

} // namespace kern
