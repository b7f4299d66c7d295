#include "cli/editor/keys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "tokenizer/unicode.h"

namespace kern {

namespace {

constexpr char escape = '\x1b';
constexpr std::string_view paste_end = "\x1b[201~";
constexpr std::size_t longest_sequence = 64;
constexpr std::string_view replacement = "\xEF\xBF\xBD";

KeyKind control_key(char c) {
  switch (c) {
  case 'A' - '@': return KeyKind::home;
  case 'B' - '@': return KeyKind::left;
  case 'C' - '@': return KeyKind::interrupt;
  case 'D' - '@': return KeyKind::erase_right_or_leave;
  case 'E' - '@': return KeyKind::end;
  case 'F' - '@': return KeyKind::right;
  case 'G' - '@': return KeyKind::cancel;
  case 'H' - '@':
  case 0x7F: return KeyKind::erase_left;
  case 'I' - '@': return KeyKind::tab;
  case 'J' - '@': return KeyKind::newline;
  case 'K' - '@': return KeyKind::cut_to_end;
  case 'L' - '@': return KeyKind::clear_screen;
  case 'M' - '@': return KeyKind::enter;
  case 'N' - '@': return KeyKind::down;
  case 'P' - '@': return KeyKind::up;
  case 'R' - '@': return KeyKind::search;
  case 'T' - '@': return KeyKind::swap;
  case 'U' - '@': return KeyKind::cut_to_home;
  case 'W' - '@': return KeyKind::cut_blank_word;
  case 'Y' - '@': return KeyKind::put_back;
  case 'Z' - '@': return KeyKind::suspend;
  case '_' - '@': return KeyKind::undo;
  default: return KeyKind::nothing;
  }
}

/// A key with Alt, which terminals send as Escape and the key.
KeyKind alt_key(char c) {
  switch (c) {
  case 'b':
  case 'B': return KeyKind::word_left;
  case 'f':
  case 'F': return KeyKind::word_right;
  case 'd':
  case 'D': return KeyKind::cut_word_right;
  case '\x08':
  case 0x7F: return KeyKind::cut_word_left;
  case '\r':
  case '\n': return KeyKind::newline;
  default: return KeyKind::nothing;
  }
}

/// The numbers of a control sequence, as in "1;5".
std::array<int, 3> numbers_of(std::string_view text) {
  std::array<int, 3> numbers{};
  for (int& number : numbers) {
    const std::size_t end = std::min(text.find_first_of(";:"), text.size());
    std::from_chars(text.data(), text.data() + end, number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return numbers;
}

KeyKind arrow(char final, bool by_word) {
  switch (final) {
  case 'A': return KeyKind::up;
  case 'B': return KeyKind::down;
  case 'C': return by_word ? KeyKind::word_right : KeyKind::right;
  case 'D': return by_word ? KeyKind::word_left : KeyKind::left;
  case 'H': return KeyKind::home;
  case 'F': return KeyKind::end;
  default: return KeyKind::nothing;
  }
}

/// `alt`: an Escape came before the sequence.
KeyKind sequence_key(std::string_view parameters, char final, bool alt) {
  const auto [first, second, third] = numbers_of(parameters);
  const bool modified = alt || second >= 3;            // Alt, Ctrl, or with Shift
  if (final == 'u' || (final == '~' && first == 27)) { // Enter with a modifier, by two ways of saying so
    const int code = final == 'u' ? first : third;
    return code == 13 && second >= 2 ? KeyKind::newline : KeyKind::nothing;
  }
  if (final != '~') return arrow(final, modified);
  switch (first) {
  case 1:
  case 7: return KeyKind::home;
  case 4:
  case 8: return KeyKind::end;
  case 3: return modified ? KeyKind::cut_word_right : KeyKind::erase_right;
  default: return KeyKind::nothing;
  }
}

/// Line ends as newlines, all else that isn't UTF-8 replaced.
std::string clean(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = utf8_character(text, i);
    if (text[i] == '\r') {
      out += '\n';
      i += text.substr(i).starts_with("\r\n") ? 2 : 1;
      continue;
    }
    out += size == 0 ? replacement : text.substr(i, size);
    i += std::max<std::size_t>(size, 1);
  }
  return out;
}

} // namespace

std::optional<Key> KeyDecoder::next() {
  const bool final = std::exchange(timed_out_, false);
  if (pasting_) return next_in_paste();
  if (pending_.empty()) return std::nullopt;
  if (pending_.front() == escape) {
    if (auto key = next_escape()) return key;
    if (pasting_) return next_in_paste();
    if (!final && pending_.size() <= longest_sequence) return std::nullopt;
    if (pending_.empty()) return std::nullopt;
    const bool alone = pending_.size() == 1;
    pending_.clear(); // a sequence that was never finished
    return Key{alone ? KeyKind::escape : KeyKind::nothing, {}};
  }
  const auto byte = static_cast<unsigned char>(pending_.front());
  if (byte < 0x20 || byte == 0x7F) {
    const Key key{control_key(pending_.front()), {}};
    take(1);
    return key;
  }
  if (auto key = next_text()) return key;
  if (!final) return std::nullopt;
  pending_.clear();
  return Key{KeyKind::text, std::string(replacement)};
}

std::optional<Key> KeyDecoder::next_in_paste() {
  const std::size_t end = pending_.find(paste_end);
  // The beginning of the end may be all that came of it.
  const std::size_t sure =
      end != std::string::npos ? end : pending_.size() - std::min(pending_.size(), paste_end.size() - 1);
  const std::size_t room = max_edit_bytes + 1 - std::min(pasted_.size(), max_edit_bytes + 1);
  pasted_.append(pending_, 0, std::min(sure, room));
  take(sure);
  if (end == std::string::npos) return std::nullopt;
  take(paste_end.size());
  pasting_ = false;
  return Key{KeyKind::paste, clean(std::exchange(pasted_, {}))};
}

std::optional<Key> KeyDecoder::next_escape() {
  std::size_t at = 1;
  const bool alt = pending_.size() > 2 && pending_[1] == escape && (pending_[2] == '[' || pending_[2] == 'O');
  if (alt) at = 2;
  if (pending_.size() <= at) return std::nullopt;
  const char kind = pending_[at];
  if (kind != '[' && kind != 'O') {
    if (kind == escape && pending_.size() == 2) return std::nullopt;
    const bool plain = kind == escape; // the first of two is a key of its own
    const Key key{plain ? KeyKind::escape : alt_key(kind), {}};
    // Of a character of several bytes all go.
    const std::size_t size = plain ? 0 : std::max<std::size_t>(utf8_character(pending_, at), 1);
    take(at + size);
    return key;
  }
  const std::size_t begin = at + 1;
  if (kind == 'O') {
    if (pending_.size() <= begin) return std::nullopt;
    const Key key{arrow(pending_[begin], alt), {}};
    take(begin + 1);
    return key;
  }
  std::size_t end = begin;
  while (end < pending_.size() && pending_[end] >= 0x20 && pending_[end] <= 0x3F) ++end;
  if (end >= pending_.size()) return std::nullopt;
  const char final = pending_[end];
  const std::string parameters = pending_.substr(begin, end - begin);
  // Anything but a final byte breaks the sequence off, and stays.
  const bool whole = final >= 0x40 && final <= 0x7E;
  take(whole ? end + 1 : end);
  if (!whole) return Key{KeyKind::nothing, {}};
  if (parameters == "200" && final == '~') {
    pasting_ = true;
    return std::nullopt;
  }
  return Key{sequence_key(parameters, final, alt), {}};
}

std::optional<Key> KeyDecoder::next_text() {
  std::string text;
  std::size_t at = 0;
  while (at < pending_.size()) {
    const auto byte = static_cast<unsigned char>(pending_[at]);
    if (byte < 0x20 || byte == 0x7F) break;
    const std::size_t size = utf8_character(pending_, at);
    if (size == 0 && unfinished_utf8_tail(pending_) == pending_.size() - at) break;
    text += size == 0 ? std::string(replacement) : pending_.substr(at, size);
    at += std::max<std::size_t>(size, 1);
  }
  if (at == 0) return std::nullopt;
  take(at);
  return Key{KeyKind::text, std::move(text)};
}

} // namespace kern
