// Finding the texts of special tokens in a text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace kern {

/// A sorted list of texts, walked byte by byte: a position costs at most the longest text's length times a binary
/// search over those that still fit, however many there are.
class SpecialMatcher {
public:
  struct Entry {
    std::string text;
    Token token = 0;
    bool always = false;         // found in any text; others only where special tokens are asked for
    bool swallows_space = false; // white space after it belongs to it
  };
  struct Match {
    std::size_t begin;
    std::size_t end;
    Token token;
    bool swallows_space = false; // so `end` is behind white space, as far as the text goes
  };
  /// Where the white space that a token swallows ends.
  static std::size_t after_space(std::string_view text, std::size_t position);

  SpecialMatcher() = default;
  /// Of entries with the same text the last counts; empty texts are left out.
  explicit SpecialMatcher(std::vector<Entry> entries);

  /// The leftmost match from `from` on, and there the longest.
  std::optional<Match> find(std::string_view text, std::size_t from, bool parse_special) const;

private:
  const Entry* longest_at(std::string_view text, bool parse_special) const;

  std::vector<Entry> entries_;             // ascending by text
  std::array<std::uint32_t, 257> first_{}; // where the entries with a first byte of at least b begin
  std::array<bool, 256> begins_always_{};  // bytes that begin an entry found in any text
};

} // namespace kern
