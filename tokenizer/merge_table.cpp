#include "tokenizer/merge_table.h"

#include <bit>

#include <fmt/format.h>

namespace kern {

namespace {

constexpr std::string_view key_merges = "tokenizer.ggml.merges";

} // namespace

MergeTable::MergeTable(std::size_t expected) : slots_(std::bit_ceil(expected * 3 / 2 + 2)) {}

std::size_t MergeTable::locate(std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  std::uint64_t hash = key * 0x9E3779B97F4A7C15u; // Fibonacci hashing, Knuth volume 3, section 6.4
  hash ^= hash >> 32;
  std::size_t i = static_cast<std::size_t>(hash) & mask;
  while (slots_[i].merge.rank != Merge::none && slots_[i].key != key) i = (i + 1) & mask;
  return i;
}

void MergeTable::insert(std::int32_t left, std::int32_t right, Merge merge) {
  Slot& slot = slots_[locate(key(left, right))];
  if (slot.merge.rank == Merge::none) slot = Slot{key(left, right), merge};
}

std::size_t count_merges(const Metadata& metadata) {
  const MetadataValue* value = metadata.find(key_merges);
  const auto* array = value ? std::get_if<MetadataArray>(&value->data) : nullptr;
  return array ? static_cast<std::size_t>(array->count) : 0;
}

void for_each_merge(const Metadata& metadata,
                    const std::function<void(std::string_view, std::string_view, std::uint32_t)>& add) {
  const std::vector<std::string_view> lines = metadata.get_strings(key_merges);
  // Each line adds three symbols at most; symbols are numbered in 31 bits.
  if (lines.size() > std::size_t{1} << 28)
    metadata.fail(key_merges, fmt::format("found {} merges, expected at most 2^28", lines.size()));
  std::uint32_t rank = 0;
  for (const std::string_view line : lines) {
    const std::size_t space = line.find(' ', 1); // no word has a space behind its first character
    if (space == std::string_view::npos)
      metadata.fail(
          key_merges,
          fmt::format("element {} is one word, expected two with a space between; convert the model again", rank));
    add(line.substr(0, space), line.substr(space + 1), rank++);
  }
}

} // namespace kern
