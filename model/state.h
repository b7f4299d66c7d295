// Who owns which page of the KV cache.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/pages.h"
#include "model/model.h"

namespace kern {

struct StateOptions {
  int context = 0; // positions a sequence can reach
  int sequences = 1;
  int step_tokens = 512;           // the most tokens of one step
  Format key_format = Format::f16; // f16, q8_0, q4_0, or f32 for reference
  Format value_format = Format::f16;
};

/// Attention layers of one backend that see the same keys: they share page tables, and a page holds all of them.
struct PageGroup {
  int device = 0;
  int window = 0; // 0: all positions
  std::vector<int> layers;
  PageLayout layout;
  int pages = 0; // in the pool, all sequences together
};

/// The groups of a model and the pages each needs; nothing is allocated.
std::vector<PageGroup> plan_pages(const ModelSpec& spec, const Placement& placement, const StateOptions& options);

/// The memory of all sequences, taken at construction. Pages are handed to a sequence as it grows and come back when it
/// is rolled back, or when a window has left them behind.
class State {
public:
  State(const ModelSpec& spec, std::span<Backend* const> backends, const Placement& placement,
        const StateOptions& options);
  State(const Model& model, const StateOptions& options)
      : State(model.spec(), model.backends(), model.placement(), options) {}

  /// Positions 0..length-1 of a sequence are in the cache.
  int length(int sequence) const { return sequences_[static_cast<std::size_t>(sequence)].length; }
  const StateOptions& options() const { return options_; }
  int pages_per_sequence() const { return pages_per_sequence_; }

  /// Makes room for `count` more positions. Throws Error(context_full) where the context has no room.
  void extend(int sequence, int count);
  /// Forgets positions from `position` on. Returns the length that could be restored, at most `position`: where a
  /// window has dropped what lies before it, less. The caller replays from there.
  int rollback(int sequence, int position);

  /// [groups][sequences][pages_per_sequence]; entries without a page are 0 and never read.
  const std::vector<std::int32_t>& page_tables() const { return tables_; }
  /// Cache of a layer, by index in the model.
  const KvLayer& layer(int index) const { return layers_[static_cast<std::size_t>(index)]; }
  /// Pages no sequence owns, of a group.
  int free_pages(int group) const { return static_cast<int>(groups_[static_cast<std::size_t>(group)].free.size()); }
  int groups() const { return static_cast<int>(groups_.size()); }

private:
  struct Group {
    PageGroup plan;
    std::unique_ptr<Buffer> pool;
    std::vector<std::int32_t> free;
  };
  struct Sequence {
    int length = 0;
    std::vector<int> first_page; // [groups]: pages before it were given back
    std::vector<int> end_page;   // [groups]: pages from it on aren't owned yet
  };

  std::int32_t& entry(std::size_t group, int sequence, int page);
  void release_pages(std::size_t group, int sequence, int begin, int end);

  StateOptions options_;
  int pages_per_sequence_;
  std::vector<Group> groups_;
  std::vector<Sequence> sequences_;
  std::vector<std::int32_t> tables_;
  std::vector<KvLayer> layers_;
};

} // namespace kern
