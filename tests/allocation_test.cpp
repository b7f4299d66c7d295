// Formats for many tensors within a budget.
#include <doctest/doctest.h>

#include <random>

#include "quant/allocation.h"

namespace kern {

namespace {

std::uint64_t bytes_of(const std::vector<std::vector<FormatChoice>>& tensors, const std::vector<std::size_t>& chosen) {
  std::uint64_t bytes = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) bytes += tensors[t][chosen[t]].bytes;
  return bytes;
}

double cost_of(const std::vector<std::vector<FormatChoice>>& tensors, const std::vector<std::size_t>& chosen) {
  double cost = 0.0;
  for (std::size_t t = 0; t < tensors.size(); ++t) cost += tensors[t][chosen[t]].cost;
  return cost;
}

/// Three choices a tensor: more bytes, less cost, each step saving less a byte than the one before.
std::vector<std::vector<FormatChoice>> random_tensors(std::mt19937& random, std::size_t count) {
  std::vector<std::vector<FormatChoice>> tensors(count);
  for (std::vector<FormatChoice>& choices : tensors) {
    const std::uint64_t rows = 1 + random() % 8;
    const double weight = 1.0 + static_cast<double>(random() % 100);
    choices = {{Format::q2_k, 2 * rows, 16.0 * weight},
               {Format::q4_k, 4 * rows, 4.0 * weight},
               {Format::q8_0, 8 * rows, 1.0 * weight}};
  }
  return tensors;
}

/// The least cost of all ways to choose.
double least_cost(const std::vector<std::vector<FormatChoice>>& tensors, std::uint64_t budget) {
  double least = 1e300;
  std::vector<std::size_t> chosen(tensors.size(), 0);
  for (;;) {
    if (bytes_of(tensors, chosen) <= budget) least = std::min(least, cost_of(tensors, chosen));
    std::size_t t = 0;
    while (t < chosen.size() && ++chosen[t] == tensors[t].size()) chosen[t++] = 0;
    if (t == chosen.size()) return least;
  }
}

} // namespace

TEST_CASE("formats stay within the budget, and nothing that still fits would save anything") {
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    const auto tensors = random_tensors(random, 1 + random() % 6);
    const std::uint64_t budget = random() % 300;
    const auto chosen = allocate_formats(tensors, budget);
    std::uint64_t smallest = 0;
    for (const auto& choices : tensors) smallest += choices.front().bytes;
    REQUIRE(chosen.has_value() == (smallest <= budget));
    if (!chosen) continue;
    const std::uint64_t used = bytes_of(tensors, *chosen);
    CHECK(used <= budget);
    std::uint64_t widest = 0; // the largest step that could be left over
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      for (std::size_t c = (*chosen)[t] + 1; c < tensors[t].size(); ++c)
        CHECK(used - tensors[t][(*chosen)[t]].bytes + tensors[t][c].bytes > budget);
      widest = std::max(widest, tensors[t].back().bytes);
    }
    // Greedy is exact but for what doesn't fill the budget: at least as good as the best with a step less.
    if (budget >= smallest + widest) CHECK(cost_of(tensors, *chosen) <= least_cost(tensors, budget - widest) + 1e-9);
  }
}

TEST_CASE("a tensor's order of choices changes nothing, and choices that cost more are never taken") {
  const std::vector<std::vector<FormatChoice>> tensors = {
      {{Format::q8_0, 8, 5.0}, {Format::q2_k, 2, 9.0}, {Format::q4_k, 4, 3.0}}};
  for (const std::uint64_t budget : {4u, 8u, 100u}) CHECK((*allocate_formats(tensors, budget))[0] == 2);
  CHECK((*allocate_formats(tensors, 3))[0] == 1);
  CHECK(!allocate_formats(tensors, 1));
}

} // namespace kern
