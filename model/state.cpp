#include "model/state.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "model/error.h"
#include "quant/formats.h"

namespace kern {

namespace {

int pages_for(int positions) { return (positions + page_positions - 1) / page_positions; }

/// Pages a sequence of a group owns at most: all positions, or those a step's queries see through the window, which may
/// begin and end within a page.
int pages_of_sequence(int window, const StateOptions& options) {
  const int all = pages_for(options.context);
  if (window == 0 || window >= options.context) return all;
  return std::min(all, pages_for(window + options.step_tokens) + 1);
}

/// Throws Error(usage) where vectors of `dim` numbers can't be cached in a format.
void check_cache_format(const char* what, Format format, int dim) {
  if (!PageLayout::holds(format, dim))
    throw Error(ExitCode::usage,
                fmt::format("--cache-type-{}: {} packs {} numbers at a time, and this model's heads have {}; use f16",
                            what, find_format(format)->name, cache_block, dim));
}

} // namespace

std::vector<PageGroup> plan_pages(const ModelSpec& spec, const Placement& placement, const StateOptions& options) {
  std::vector<PageGroup> groups;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const Attention& attention = std::get<Attention>(spec.layers[i].mixer);
    const int device = placement.mixer[i];
    auto group = std::ranges::find_if(
        groups, [&](const PageGroup& g) { return g.device == device && g.window == attention.window; });
    if (group == groups.end()) {
      groups.push_back({device, attention.window, {}, {}, 0});
      group = groups.end() - 1;
    }
    group->layers.push_back(static_cast<int>(i));
  }
  for (PageGroup& group : groups) {
    std::vector<KvShape> shapes;
    for (const int layer : group.layers) {
      const Attention& attention = std::get<Attention>(spec.layers[static_cast<std::size_t>(layer)].mixer);
      check_cache_format("k", options.key_format, attention.key_dim);
      check_cache_format("v", options.value_format, attention.value_dim);
      shapes.push_back({attention.kv_heads, attention.key_dim, attention.value_dim});
    }
    group.layout = PageLayout(shapes, options.key_format, options.value_format);
    group.pages = options.sequences * pages_of_sequence(group.window, options);
  }
  return groups;
}

State::State(const ModelSpec& spec, std::span<Backend* const> backends, const Placement& placement,
             const StateOptions& options)
    : options_(options), pages_per_sequence_(pages_for(options.context)) {
  layers_.resize(spec.layers.size());
  for (PageGroup& plan : plan_pages(spec, placement, options)) {
    Group group;
    group.pool = backends[static_cast<std::size_t>(plan.device)]->allocate(static_cast<std::size_t>(plan.pages) *
                                                                           plan.layout.bytes());
    for (int page = plan.pages - 1; page >= 0; --page) group.free.push_back(page); // lowest first from the back
    for (std::size_t i = 0; i < plan.layers.size(); ++i)
      layers_[static_cast<std::size_t>(plan.layers[i])] = {group.pool->data(), static_cast<int>(groups_.size()),
                                                           plan.layout.view(static_cast<int>(i))};
    group.plan = std::move(plan);
    groups_.push_back(std::move(group));
  }
  Sequence empty;
  empty.first_page.assign(groups_.size(), 0);
  empty.end_page.assign(groups_.size(), 0);
  sequences_.assign(static_cast<std::size_t>(options.sequences), empty);
  tables_.assign(
      groups_.size() * static_cast<std::size_t>(options.sequences) * static_cast<std::size_t>(pages_per_sequence_), 0);
}

std::int32_t& State::entry(std::size_t group, int sequence, int page) {
  return tables_[(group * static_cast<std::size_t>(options_.sequences) + static_cast<std::size_t>(sequence)) *
                     static_cast<std::size_t>(pages_per_sequence_) +
                 static_cast<std::size_t>(page)];
}

void State::release_pages(std::size_t group, int sequence, int begin, int end) {
  for (int page = end - 1; page >= begin; --page) {
    groups_[group].free.push_back(entry(group, sequence, page));
    entry(group, sequence, page) = 0;
  }
}

void State::extend(int sequence, int count) {
  Sequence& state = sequences_[static_cast<std::size_t>(sequence)];
  assert(count >= 0 && count <= options_.step_tokens);
  if (count > options_.context - state.length)
    throw Error(ExitCode::context_full, fmt::format("the context holds {} tokens, but {} are needed; raise it with -c",
                                                    options_.context, static_cast<std::int64_t>(state.length) + count));
  const int length = state.length + count;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    // The first new query sees `window` positions back; pages before that are no longer read.
    const int window = groups_[g].plan.window;
    const int first = window == 0 ? 0 : page_of(std::max(0, state.length - window + 1));
    release_pages(g, sequence, state.first_page[g], std::min(first, state.end_page[g]));
    state.first_page[g] = std::max(state.first_page[g], std::min(first, state.end_page[g]));
    for (; state.end_page[g] < pages_for(length); ++state.end_page[g]) {
      assert(!groups_[g].free.empty());
      entry(g, sequence, state.end_page[g]) = groups_[g].free.back();
      groups_[g].free.pop_back();
    }
  }
  state.length = length;
}

int State::rollback(int sequence, int position) {
  Sequence& state = sequences_[static_cast<std::size_t>(sequence)];
  int target = std::clamp(position, 0, state.length);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const int window = groups_[g].plan.window;
    // The next query at `target` needs everything its window covers.
    const int needed = window == 0 ? 0 : page_of(std::max(0, target - window + 1));
    if (state.first_page[g] > needed) target = 0;
  }
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const int end = pages_for(target);
    release_pages(g, sequence, std::max(end, state.first_page[g]), state.end_page[g]);
    state.end_page[g] = std::min(state.end_page[g], std::max(end, state.first_page[g]));
    if (target == 0) state.first_page[g] = state.end_page[g] = 0;
  }
  state.length = target;
  return target;
}

} // namespace kern
