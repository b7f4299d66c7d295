// Byte-pair merging: the loop that both kinds of vocabulary share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace kern {

/// What joining two neighbours gives.
struct Merge {
  static constexpr std::uint32_t none = UINT32_MAX;
  std::uint32_t rank = none; // lower is joined earlier; none: they don't join
  std::int32_t id = -1;      // of the result
};

/// Joins neighbouring symbols of a word, always the pair of lowest rank and among equals the leftmost, until none is
/// left: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", algorithm 1, one pair at
/// a time as SentencePiece and Hugging Face's tokenizers do it. A heap makes it O(n log n) for a word of n symbols.
/// Keeps its memory between words: one object serves one thread.
class Merger {
public:
  struct Symbol {
    std::int32_t id;     // as the lookup names it; -1 where it has no name
    std::uint32_t begin; // offset in the word, bytes
    std::int32_t previous;
    std::int32_t next; // -1: the last
    Merge merge;       // with the next symbol
  };

  void clear() { symbols_.clear(); }
  void add(std::int32_t id, std::size_t begin) {
    const auto index = static_cast<std::int32_t>(symbols_.size());
    if (index > 0) symbols_.back().next = index;
    symbols_.push_back(Symbol{id, static_cast<std::uint32_t>(begin), index - 1, -1, {}});
  }

  /// lookup(left, right, end) -> Merge, where `end` is the offset past the right symbol; `size` is the word's in bytes.
  template <class Lookup> void run(std::size_t size, Lookup&& lookup) {
    heap_.clear();
    const auto refresh = [&](std::int32_t left) {
      Symbol& symbol = symbols_[static_cast<std::size_t>(left)];
      if (symbol.next < 0) symbol.merge = Merge{};
      else symbol.merge = lookup(symbol, symbols_[static_cast<std::size_t>(symbol.next)], end_of(symbol.next, size));
      if (symbol.merge.rank != Merge::none) heap_.push_back(key(symbol.merge.rank, left));
      return symbol.merge.rank != Merge::none;
    };
    for (std::size_t i = 0; i < symbols_.size(); ++i) refresh(static_cast<std::int32_t>(i));
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
      const std::uint64_t top = heap_.back();
      heap_.pop_back();
      const auto left = static_cast<std::int32_t>(top & 0xFFFFFFFFu);
      Symbol& symbol = symbols_[static_cast<std::size_t>(left)];
      if (symbol.merge.rank != top >> 32) continue; // the pair that was queued has changed since
      join(symbol);
      if (refresh(left)) std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
      if (symbol.previous >= 0 && refresh(symbol.previous))
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
    }
  }

  /// visit(symbol, end) for what is left, in order.
  template <class Visitor> void for_each(std::size_t size, Visitor&& visit) const {
    if (symbols_.empty()) return;
    for (std::int32_t i = 0; i >= 0; i = symbols_[static_cast<std::size_t>(i)].next)
      visit(symbols_[static_cast<std::size_t>(i)], end_of(i, size));
  }

private:
  static std::uint64_t key(std::uint32_t rank, std::int32_t left) {
    return (static_cast<std::uint64_t>(rank) << 32) | static_cast<std::uint32_t>(left);
  }

  std::size_t end_of(std::int32_t index, std::size_t size) const {
    const std::int32_t next = symbols_[static_cast<std::size_t>(index)].next;
    return next < 0 ? size : symbols_[static_cast<std::size_t>(next)].begin;
  }

  void join(Symbol& symbol) {
    Symbol& right = symbols_[static_cast<std::size_t>(symbol.next)];
    symbol.id = symbol.merge.id;
    symbol.next = right.next;
    right.merge = Merge{}; // its queued pair is void
    if (right.next >= 0) symbols_[static_cast<std::size_t>(right.next)].previous = right.previous;
  }

  std::vector<Symbol> symbols_;
  std::vector<std::uint64_t> heap_;
};

} // namespace kern
