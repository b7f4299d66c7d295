#include "tokenizer/special_matcher.h"

#include <algorithm>

namespace kern {

SpecialMatcher::SpecialMatcher(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::erase_if(entries_, [](const Entry& entry) { return entry.text.empty(); });
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(entries_[i].text.front());
    ++first_[byte + 1u];
    if (entries_[i].always) begins_always_[byte] = true;
  }
  for (std::size_t b = 0; b < 256; ++b) first_[b + 1] += first_[b];
}

const SpecialMatcher::Entry* SpecialMatcher::longest_at(std::string_view text, bool parse_special) const {
  const auto byte = static_cast<unsigned char>(text.front());
  auto low = entries_.begin() + first_[byte];
  auto high = entries_.begin() + first_[byte + 1u];
  const Entry* best = nullptr;
  for (std::size_t depth = 1; low != high; ++depth) {
    // Entries that end here stand first in the range, the one that counts last among them.
    for (; low != high && low->text.size() == depth; ++low)
      if (low->always || parse_special) best = &*low;
    if (depth == text.size()) break;
    const auto next = static_cast<unsigned char>(text[depth]);
    const auto at = [depth](const Entry& entry) { return static_cast<unsigned char>(entry.text[depth]); };
    low = std::partition_point(low, high, [&](const Entry& entry) { return at(entry) < next; });
    high = std::partition_point(low, high, [&](const Entry& entry) { return at(entry) == next; });
  }
  return best;
}

std::size_t SpecialMatcher::after_space(std::string_view text, std::size_t position) {
  return std::min(text.find_first_not_of(" \t\n\v\f\r", position), text.size());
}

std::optional<SpecialMatcher::Match> SpecialMatcher::find(std::string_view text, std::size_t from,
                                                          bool parse_special) const {
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    const auto byte = static_cast<unsigned char>(text[begin]);
    if (parse_special ? first_[byte] == first_[byte + 1u] : !begins_always_[byte]) continue;
    const Entry* entry = longest_at(text.substr(begin), parse_special);
    if (!entry) continue;
    const std::size_t end = begin + entry->text.size();
    const bool swallows = entry->swallows_space && parse_special;
    return Match{begin, swallows ? after_space(text, end) : end, entry->token, swallows};
  }
  return std::nullopt;
}

} // namespace kern
