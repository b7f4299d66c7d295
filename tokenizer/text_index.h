// From a text to its number: the hash table behind vocabularies.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kern {

/// Open addressing with linear probing over texts that live elsewhere and outlive the table. A vocabulary has a hundred
/// thousand entries and is indexed at every start.
class TextIndex {
public:
  explicit TextIndex(std::size_t expected = 0) : slots_(std::bit_ceil(expected * 3 / 2 + 16)) {}

  /// A text inserted again gets the new value.
  void insert(std::string_view text, std::int32_t value) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grow();
    const std::uint32_t hash = hash_of(text);
    Slot& slot = slots_[locate(text, hash)];
    used_ += slot.value < 0;
    slot = Slot{text, hash, value};
  }

  /// -1 where the text isn't there.
  std::int32_t find(std::string_view text) const { return slots_[locate(text, hash_of(text))].value; }

private:
  struct Slot {
    std::string_view text;
    std::uint32_t hash = 0; // spares most looks at the text
    std::int32_t value = -1;
  };

  static std::uint32_t hash_of(std::string_view text) {
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(text));
  }

  std::size_t locate(std::string_view text, std::uint32_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash & mask;
    while (slots_[i].value >= 0 && (slots_[i].hash != hash || slots_[i].text != text)) i = (i + 1) & mask;
    return i;
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.value >= 0) slots_[locate(slot.text, slot.hash)] = slot;
  }

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

} // namespace kern
