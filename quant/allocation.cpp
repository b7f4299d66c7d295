#include "quant/allocation.h"

#include <algorithm>

namespace kern {

namespace {

struct Change {
  double saved_a_byte = 0.0;
  std::size_t tensor = 0;
  std::size_t choice = 0;
  std::uint64_t bytes = 0; // more than now
};

/// The best change of a tensor from choice `now` that takes at most `left` bytes more; saves nothing where there is
/// none.
Change best_change(const std::vector<FormatChoice>& choices, std::size_t now, std::uint64_t left) {
  Change best;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const std::uint64_t bytes = choices[i].bytes;
    const double saved = choices[now].cost - choices[i].cost;
    if (bytes <= choices[now].bytes || bytes - choices[now].bytes > left || !(saved > 0.0)) continue;
    const double each = saved / static_cast<double>(bytes - choices[now].bytes);
    if (each > best.saved_a_byte) best = {each, 0, i, bytes - choices[now].bytes};
  }
  return best;
}

} // namespace

std::optional<std::vector<std::size_t>> allocate_formats(std::span<const std::vector<FormatChoice>> tensors,
                                                         std::uint64_t budget) {
  std::vector<std::size_t> chosen;
  std::uint64_t left = budget;
  for (const std::vector<FormatChoice>& choices : tensors) {
    const auto smallest = std::ranges::min_element(choices, {}, &FormatChoice::bytes);
    if (smallest->bytes > left) return std::nullopt;
    left -= smallest->bytes;
    chosen.push_back(static_cast<std::size_t>(smallest - choices.begin()));
  }
  for (;;) {
    Change best;
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      Change change = best_change(tensors[t], chosen[t], left);
      change.tensor = t;
      if (change.saved_a_byte > best.saved_a_byte) best = change;
    }
    if (!(best.saved_a_byte > 0.0)) return chosen;
    chosen[best.tensor] = best.choice;
    left -= best.bytes;
  }
}

} // namespace kern
