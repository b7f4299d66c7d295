// Which of several formats each of many tensors gets when all together may take so many bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quant/format_id.h"

namespace kern {

/// What a tensor could become.
struct FormatChoice {
  Format format{};
  std::uint64_t bytes = 0;
  double cost = 0.0; // what it makes worse, in a unit that all tensors share and that adds up
};

/// For each tensor the index of one of its choices, within `budget` bytes together: from the smallest of each on, again
/// and again the change that saves the most cost a byte among those that still fit (ties to the earlier tensor), until
/// none saves any. Nothing where the smallest choices together are too large. No list may be empty.
std::optional<std::vector<std::size_t>> allocate_formats(std::span<const std::vector<FormatChoice>> tensors,
                                                         std::uint64_t budget);

} // namespace kern
