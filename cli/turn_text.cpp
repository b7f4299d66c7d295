#include "cli/turn_text.h"

namespace kern {

namespace {

constexpr std::string_view quotes = "\"\"\"";
constexpr std::string_view blanks = " \t\r\n";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

bool continues(std::string_view text) {
  const std::size_t last = text.find_last_not_of('\\');
  const std::size_t count = text.size() - (last == std::string_view::npos ? 0 : last + 1);
  return count % 2 == 1;
}

} // namespace

bool is_open_block(std::string_view text) {
  const std::string_view inner = trim(text);
  return inner.starts_with(quotes) && (inner.size() < 2 * quotes.size() || !inner.ends_with(quotes));
}

bool wants_more(std::string_view text) {
  if (trim(text).starts_with(quotes)) return is_open_block(text);
  return continues(text);
}

void add_line(std::string& text, std::string_view line) {
  if (!is_open_block(text)) text.pop_back();
  text += '\n';
  text += line;
}

Turn read_turn(std::string_view text) {
  std::string_view inner = trim(text);
  if (inner.starts_with(quotes) && !is_open_block(text)) {
    inner = inner.substr(quotes.size(), inner.size() - 2 * quotes.size());
    if (inner.starts_with('\n')) inner.remove_prefix(1);
    if (inner.ends_with('\n')) inner.remove_suffix(1);
    return {std::string(inner), false};
  }
  if (text.starts_with("//")) return {std::string(text.substr(1)), false};
  return {std::string(text), text.starts_with('/')};
}

} // namespace kern
