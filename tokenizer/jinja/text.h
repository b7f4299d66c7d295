// Text that remembers which of its bytes came from a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kern::jinja {

struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const ByteRange&) const = default;
};

/// Bytes, most often UTF-8, with marks on the stretches that came from outside the template. Every operation that makes
/// a text of others carries the marks along, so that what a user wrote is never taken for what the template wrote.
class Text {
public:
  Text() = default;
  explicit Text(std::string bytes, bool marked = false);

  std::string_view view() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  bool marked() const { return !marks_.empty(); }
  /// Ascending, neither empty nor touching.
  const std::vector<ByteRange>& marks() const { return marks_; }

  Text& append(std::string_view bytes, bool marked = false);
  Text& append(const Text& other);
  Text& append(const Text& other, std::size_t begin, std::size_t end);
  Text slice(std::size_t begin, std::size_t end) const;
  /// Whether any byte of [begin, end) is marked.
  bool marked(std::size_t begin, std::size_t end) const;

private:
  void mark(std::size_t begin, std::size_t end);

  std::string bytes_;
  std::vector<ByteRange> marks_;
};

/// A character of Python's str: a well-formed UTF-8 sequence, or one byte that belongs to none.
struct Character {
  char32_t code = 0; // of a byte that belongs to no character: U+FFFD
  std::size_t size = 0;
};
Character character_at(std::string_view text, std::size_t position);

std::size_t count_characters(std::string_view text);
/// Where every character begins, and the end of the text.
std::vector<std::size_t> character_offsets(std::string_view text);

/// str.isspace(), str.isalpha() and str.isdigit() of one character. Letters beyond ASCII: everything from U+00C0 on
/// that isn't white space or common punctuation.
bool is_space(char32_t code);
bool is_letter(char32_t code);
bool is_digit(char32_t code);
/// str.upper() and str.lower() of one character: Latin, Greek and Cyrillic letters.
char32_t to_upper(char32_t code);
char32_t to_lower(char32_t code);
/// Whether repr() shows the character as it is.
bool is_printable(char32_t code);

Text upper(const Text& text);
Text lower(const Text& text);
Text capitalize(const Text& text);
/// str.title()
Text title(const Text& text);
Text swap_case(const Text& text);

/// str.strip(): white space, or the characters in `characters`.
enum class Ends { left, right, both };
Text strip(const Text& text, Ends ends, const Text* characters = nullptr);

} // namespace kern::jinja
