#include "tokenizer/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "tokenizer/jinja/text.h"
#include "tokenizer/unicode.h"

namespace kern::jinja {

namespace {

constexpr std::size_t npos = std::string_view::npos;

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) || c == '_' || byte >= 0x80;
}

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

/// \r\n and \r as \n; one at the end of the source is dropped, as Jinja does.
std::string normalize_lines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Word> run() {
    while (position_ < source_.size()) read_data();
    add(Word::Kind::end, {});
    return std::move(words_);
  }

private:
  [[noreturn]] void fail(std::string problem) const { throw TemplateError(line_, std::move(problem)); }

  void add(Word::Kind kind, std::string text) { words_.push_back({kind, std::move(text), line_}); }

  char at(std::size_t position) const { return position < source_.size() ? source_[position] : '\0'; }

  bool looking_at(std::string_view text) const { return source_.substr(position_).starts_with(text); }

  void advance(std::size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(position_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    position_ = to;
  }

  std::size_t after_space(std::size_t position) const {
    while (position < source_.size()) {
      const Character c = character_at(source_, position);
      if (!is_space(c.code)) break;
      position += c.size;
    }
    return position;
  }

  /// Where the next tag begins.
  std::size_t find_tag() const {
    for (std::size_t at_brace = position_; (at_brace = source_.find('{', at_brace)) != npos; ++at_brace)
      if (const char next = at(at_brace + 1); next == '{' || next == '%' || next == '#') return at_brace;
    return npos;
  }

  /// The text up to a tag at `tag`, less the white space that the tag takes away.
  std::string_view trimmed_data(std::size_t tag) const {
    std::string_view data = source_.substr(position_, tag - position_);
    const char sign = at(tag + 2);
    if (sign == '-') {
      const Text text{std::string(data)};
      return data.substr(0, strip(text, Ends::right).size());
    }
    if (sign == '+' || at(tag + 1) == '{') return data;
    const std::size_t line_begin = data.rfind('\n') == npos ? 0 : data.rfind('\n') + 1;
    if (line_begin == 0 && !line_starting_) return data;
    const std::string_view rest = data.substr(line_begin);
    for (std::size_t i = 0; i < rest.size();) {
      const Character c = character_at(rest, i);
      if (!is_space(c.code)) return data;
      i += c.size;
    }
    return data.substr(0, line_begin);
  }

  void read_data() {
    const std::size_t tag = find_tag();
    if (tag == npos) {
      add(Word::Kind::data, std::string(source_.substr(position_)));
      advance(source_.size());
      return;
    }
    if (const std::string_view data = trimmed_data(tag); !data.empty()) add(Word::Kind::data, std::string(data));
    advance(tag);
    const char kind = at(tag + 1);
    if (kind == '%' && read_raw()) return;
    std::size_t inside = tag + 2;
    if (at(inside) == '-' || at(inside) == '+') ++inside;
    advance(inside);
    if (kind == '#') return read_comment();
    add(kind == '{' ? Word::Kind::print_begin : Word::Kind::block_begin, {});
    while (!read_tag_end(kind == '{')) read_word();
  }

  /// Steps over the end of a tag at `close`, the position of its first bracket character or sign.
  void close_tag(std::size_t close, bool trims_newline) {
    const char sign = at(close);
    std::size_t end = close + (sign == '-' || sign == '+' ? 3 : 2);
    if (sign == '-') end = after_space(end);
    else if (sign != '+' && trims_newline && at(end) == '\n') ++end;
    line_starting_ = at(end - 1) == '\n';
    advance(end);
  }

  void read_comment() {
    const std::size_t close = source_.find("#}", position_);
    if (close == npos) fail("a comment is not closed: no #}");
    const bool sign = close > position_ && (source_[close - 1] == '-' || source_[close - 1] == '+');
    close_tag(sign ? close - 1 : close, true);
  }

  /// {% raw %} at the position: its text, up to and with {% endraw %}.
  bool read_raw() {
    const auto tag_named = [&](std::size_t begin, std::string_view name) {
      if (source_.substr(begin, 2) != "{%") return npos;
      std::size_t i = begin + 2;
      if (at(i) == '-' || at(i) == '+') ++i;
      i = after_space(i);
      if (source_.substr(i, name.size()) != name) return npos;
      i = after_space(i + name.size());
      const bool sign = at(i) == '-' || at(i) == '+';
      return source_.substr(i + (sign ? 1 : 0), 2) == "%}" ? i : npos;
    };
    const std::size_t close = tag_named(position_, "raw");
    if (close == npos || at(close) == '+') return false;
    close_tag(close, false);
    for (std::size_t end = position_; (end = source_.find("{%", end)) != npos; end += 2) {
      const std::size_t end_close = tag_named(end, "endraw");
      if (end_close == npos) continue;
      if (const std::string_view data = trimmed_data(end); !data.empty()) add(Word::Kind::data, std::string(data));
      advance(end);
      close_tag(end_close, true);
      return true;
    }
    fail("{% raw %} is not closed: no {% endraw %}");
  }

  /// Steps over }} or %} where the tag ends here.
  bool read_tag_end(bool prints) {
    advance(after_space(position_));
    if (position_ >= source_.size()) fail(prints ? "{{ is not closed: no }}" : "{% is not closed: no %}");
    const std::string_view close = prints ? "}}" : "%}";
    const bool sign = at(position_) == '-' || (!prints && at(position_) == '+');
    if (!brackets_.empty() || source_.substr(position_ + (sign ? 1 : 0), 2) != close) return false;
    add(prints ? Word::Kind::print_end : Word::Kind::block_end, {});
    close_tag(position_, !prints);
    return true;
  }

  void read_word() {
    const char c = at(position_);
    if (c == '"' || c == '\'') return read_text(c);
    if (is_ascii_digit(c)) return read_number();
    if (is_word_byte(c)) {
      std::size_t end = position_;
      while (end < source_.size() && is_word_byte(source_[end])) ++end;
      add(Word::Kind::name, std::string(source_.substr(position_, end - position_)));
      return advance(end);
    }
    read_symbol();
  }

  void read_symbol() {
    static constexpr std::array<std::string_view, 26> symbols = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                                 "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                                                 "]",  "{",  "}",  ".",  ":",  "|",  ",", ";"};
    const auto symbol = std::ranges::find_if(symbols, [&](std::string_view s) { return looking_at(s); });
    if (symbol == symbols.end()) {
      const Character c = character_at(source_, position_);
      fail(fmt::format("found '{}', which means nothing in a tag", source_.substr(position_, c.size)));
    }
    const char first = symbol->front();
    if (first == '(') brackets_ += ')';
    else if (first == '[') brackets_ += ']';
    else if (first == '{') brackets_ += '}';
    else if (first == ')' || first == ']' || first == '}') {
      if (brackets_.empty()) fail(fmt::format("found '{}' without its opening bracket", first));
      if (brackets_.back() != first) fail(fmt::format("found '{}', expected '{}'", first, brackets_.back()));
      brackets_.pop_back();
    }
    add(Word::Kind::symbol, std::string(*symbol));
    advance(position_ + symbol->size());
  }

  void read_number() {
    const auto digits_from = [&](std::size_t i, auto is_wanted) {
      while (is_wanted(at(i)) || (at(i) == '_' && is_wanted(at(i + 1)))) ++i;
      return i;
    };
    const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
    std::size_t end = position_;
    bool floating = false;
    const char prefix = static_cast<char>(at(position_ + 1) | 0x20);
    if (at(position_) == '0' && (prefix == 'x' || prefix == 'o' || prefix == 'b')) {
      end = digits_from(position_ + 2, is_hex);
    } else {
      end = digits_from(position_, is_ascii_digit);
      if (at(end) == '.' && is_ascii_digit(at(end + 1))) {
        floating = true;
        end = digits_from(end + 1, is_ascii_digit);
      }
      if (at(end) == 'e' || at(end) == 'E') {
        const std::size_t digits = end + (at(end + 1) == '+' || at(end + 1) == '-' ? 2 : 1);
        if (is_ascii_digit(at(digits))) {
          floating = true;
          end = digits_from(digits, is_ascii_digit);
        }
      }
    }
    std::string number(source_.substr(position_, end - position_));
    std::erase(number, '_');
    add(floating ? Word::Kind::floating : Word::Kind::integer, std::move(number));
    advance(end);
  }

  void read_text(char quote) {
    std::string value;
    std::size_t i = position_ + 1;
    for (; at(i) != quote || i >= source_.size();) {
      if (i >= source_.size()) fail("a text is not closed: no " + std::string(1, quote));
      if (source_[i] == '\\') i = read_escape(i + 1, value);
      else value += source_[i++];
    }
    add(Word::Kind::text, std::move(value));
    advance(i + 1);
  }

  /// The escape whose character after the backslash is at `i`, as Python's unicode-escape has it; the position behind.
  std::size_t read_escape(std::size_t i, std::string& value) const {
    if (i >= source_.size()) fail("a text is not closed: it ends in \\");
    constexpr std::string_view letters = "abfnrtv\\'\"";
    constexpr std::string_view meanings = "\a\b\f\n\r\t\v\\'\"";
    const char c = source_[i];
    if (const std::size_t known = letters.find(c); known != npos) {
      value += meanings[known];
      return i + 1;
    }
    if (c == '\n') return i + 1;
    std::size_t begin = i + 1;
    std::size_t longest = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    std::uint32_t base = 16;
    if (c >= '0' && c <= '7') {
      begin = i;
      longest = 3;
      base = 8;
    }
    if (longest == 0) {
      value += '\\';
      return i;
    }
    std::uint32_t code = 0;
    std::size_t end = begin;
    for (; end < begin + longest; ++end) {
      const char digit = at(end);
      const std::uint32_t number = is_ascii_digit(digit) ? static_cast<std::uint32_t>(digit - '0')
                                   : std::isxdigit(static_cast<unsigned char>(digit))
                                       ? static_cast<std::uint32_t>((digit | 0x20) - 'a' + 10)
                                       : 99u;
      if (number >= base) break;
      code = code * base + number;
    }
    if (base == 16 && end != begin + longest) fail(fmt::format("\\{} needs {} hexadecimal digits", c, longest));
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) fail("an escape stands for no character");
    value += to_utf8(code);
    return end;
  }

  std::string_view source_;
  std::size_t position_ = 0;
  int line_ = 1;
  bool line_starting_ = true; // the last tag ended a line
  std::string brackets_;      // that are open in the tag, by what closes them
  std::vector<Word> words_;
};

} // namespace

std::vector<Word> split_template(std::string_view source) {
  const std::string normalized = normalize_lines(source);
  return Lexer(normalized).run();
}

} // namespace kern::jinja
