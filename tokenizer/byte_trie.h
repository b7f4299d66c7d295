// Which entries of a vocabulary a text begins with.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kern {

/// A trie over bytes, built once: the children of a node lie side by side, ascending by their byte.
class ByteTrie {
public:
  struct Entry {
    std::string_view text;
    std::int32_t value = 0; // not negative
  };

  ByteTrie() : ByteTrie(std::vector<Entry>()) {}
  /// Of entries with the same text the last counts; empty texts are left out. Memory is linear in the texts.
  explicit ByteTrie(std::vector<Entry> entries) {
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });
    std::vector<Range> ranges{{0, entries.size()}}; // of the entries below each node
    nodes_.push_back({});
    std::size_t level_end = 1;
    for (std::size_t node = 0, depth = 0; node < nodes_.size(); ++node) {
      if (node == level_end) {
        ++depth;
        level_end = nodes_.size();
      }
      auto [begin, end] = ranges[node];
      for (; begin < end && entries[begin].text.size() == depth; ++begin)
        if (depth > 0) nodes_[node].value = entries[begin].value;
      nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
      while (begin < end) {
        const char byte = entries[begin].text[depth];
        std::size_t next = begin;
        while (next < end && entries[next].text[depth] == byte) ++next;
        nodes_.push_back({0, -1, 0, static_cast<unsigned char>(byte)});
        ranges.push_back({begin, next});
        ++nodes_[node].children;
        begin = next;
      }
    }
    for (std::uint32_t child = 0; child < nodes_[0].children; ++child) roots_[nodes_[1 + child].byte] = 1 + child;
  }

  /// visit(length, value) for every entry that `text` begins with, shortest first.
  template <class Visitor> void for_each_prefix(std::string_view text, Visitor&& visit) const {
    if (text.empty()) return;
    std::uint32_t node = roots_[static_cast<unsigned char>(text[0])];
    for (std::size_t length = 1; node != 0; ++length) {
      if (nodes_[node].value >= 0) visit(length, nodes_[node].value);
      if (length == text.size()) return;
      node = child_of(nodes_[node], static_cast<unsigned char>(text[length]));
    }
  }

private:
  struct Node {
    std::uint32_t first_child = 0;
    std::int32_t value = -1; // -1: no entry ends here
    std::uint16_t children = 0;
    unsigned char byte = 0;
  };
  struct Range {
    std::size_t begin;
    std::size_t end;
  };

  /// 0: none
  std::uint32_t child_of(const Node& node, unsigned char byte) const {
    std::uint32_t low = node.first_child;
    std::uint32_t high = low + node.children;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (nodes_[middle].byte == byte) return middle;
      if (nodes_[middle].byte < byte) low = middle + 1;
      else high = middle;
    }
    return 0;
  }

  std::vector<Node> nodes_; // by depth; the first is the root
  std::array<std::uint32_t, 256> roots_{};
};

} // namespace kern
