#include "cli/nearest_name.h"

#include <algorithm>
#include <array>

namespace kern {

namespace {

constexpr std::size_t longest = 40;
constexpr std::size_t most_changes = 3;

/// Damerau-Levenshtein distance, each pair of neighbours swapped at most once; `limit`, at most 3, where it is that or
/// more. `a` has at most 40 bytes. Most names differ too much already in length or in their beginnings.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= limit) return limit;
  std::array<std::array<std::size_t, longest + most_changes>, 3> rows; // of the prefixes of a, the last three
  std::size_t least_before = 0;
  for (std::size_t i = 0; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    const auto& two_above = rows[(i + 1) % 3];
    row[0] = i;
    std::size_t least = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = i == 0 ? j : std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], two_above[j - 2] + 1);
      least = std::min(least, row[j]);
    }
    if (std::min(least, least_before) >= limit) return limit; // no row below goes back further
    least_before = least;
  }
  return std::min(rows[a.size() % 3][b.size()], limit);
}

} // namespace

std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> names) {
  if (name.empty() || name.size() > longest) return std::nullopt;
  std::size_t best = name.size() <= 3 ? 2 : most_changes; // fewer than this many changes
  std::optional<std::string> found;
  for (const std::string& candidate : names)
    if (const std::size_t changes = distance(name, candidate, best); changes < best) {
      best = changes;
      found = candidate;
    }
  if (found) return found;
  // The beginning of a longer name.
  const auto longer = std::ranges::find_if(names, [&](const std::string& each) { return each.starts_with(name); });
  return longer == names.end() ? std::nullopt : std::optional(*longer);
}

} // namespace kern
