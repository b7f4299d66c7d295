#include "cli/nearest_name.h"

#include <algorithm>
#include <vector>

namespace kern {

namespace {

/// Damerau-Levenshtein distance, each pair of neighbours swapped at most once.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

} // namespace

std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> names) {
  constexpr std::size_t longest = 40;
  if (name.empty() || name.size() > longest) return std::nullopt;
  std::size_t best = name.size() <= 3 ? 2 : 3; // fewer than this many changes
  std::optional<std::string> found;
  for (const std::string& candidate : names)
    if (const std::size_t changes = distance(name, candidate); changes < best) {
      best = changes;
      found = candidate;
    }
  if (found) return found;
  // The beginning of a longer name.
  const auto longer = std::ranges::find_if(names, [&](const std::string& each) { return each.starts_with(name); });
  return longer == names.end() ? std::nullopt : std::optional(*longer);
}

} // namespace kern
