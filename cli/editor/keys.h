// What a terminal sends, as keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kern {

/// The longest text that is edited; what a paste has beyond it is refused with all of it.
inline constexpr std::size_t max_edit_bytes = std::size_t{1} << 20;

enum class KeyKind : std::uint8_t {
  text, // one character or several
  paste,
  enter,
  newline, // Alt-Enter, Ctrl-J
  tab,
  escape,
  left,
  right,
  up,
  down,
  home,
  end,
  word_left,
  word_right,
  erase_left,
  erase_right,          // Delete
  erase_right_or_leave, // Ctrl-D
  cut_to_end,
  cut_to_home,
  cut_blank_word, // Ctrl-W: back to white space
  cut_word_left,
  cut_word_right,
  put_back, // Ctrl-Y
  swap,     // Ctrl-T
  undo,
  clear_screen,
  search,
  cancel,    // Ctrl-G
  interrupt, // Ctrl-C
  suspend,   // Ctrl-Z
  nothing,   // a key that has no meaning here
};

struct Key {
  KeyKind kind = KeyKind::nothing;
  std::string text; // of text and paste: UTF-8
};

/// Takes bytes in any portions. Bytes that are no UTF-8 become U+FFFD; line ends of a paste become newlines.
class KeyDecoder {
public:
  void push(std::string_view bytes) { pending_ += bytes; }
  /// The next key; nothing where more bytes are needed for one.
  std::optional<Key> next();
  /// Whether bytes wait for more: a lone Escape, or half a character. Not within a paste.
  bool waits() const { return !pasting_ && !pending_.empty(); }
  /// Nothing more is on its way: next() makes a key of what waits.
  void time_out() { timed_out_ = true; }

private:
  std::optional<Key> next_in_paste();
  std::optional<Key> next_escape();
  std::optional<Key> next_text();
  void take(std::size_t bytes) { pending_.erase(0, bytes); }

  std::string pending_;
  bool timed_out_ = false;
  bool pasting_ = false;
  std::string pasted_;
};

} // namespace kern
