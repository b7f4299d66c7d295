// Which symbols merge, and in what order: `tokenizer.ggml.merges`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "model/metadata.h"
#include "tokenizer/merge.h"

namespace kern {

/// From two neighbouring symbols to what they merge into. Open addressing; filled once.
class MergeTable {
public:
  explicit MergeTable(std::size_t expected);
  /// A pair inserted again keeps its first merge.
  void insert(std::int32_t left, std::int32_t right, Merge merge);
  Merge find(std::int32_t left, std::int32_t right) const { return slots_[locate(key(left, right))].merge; }

private:
  struct Slot {
    std::uint64_t key = 0;
    Merge merge;
  };

  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
  }
  std::size_t locate(std::uint64_t key) const;

  std::vector<Slot> slots_;
};

/// How many merges the file lists; 0 where it has none.
std::size_t count_merges(const Metadata& metadata);

/// add(left, right, rank) for each merge of the file in order. Throws Error(model) where the list is missing or a line
/// is no two words.
void for_each_merge(const Metadata& metadata,
                    const std::function<void(std::string_view, std::string_view, std::uint32_t)>& add);

} // namespace kern
