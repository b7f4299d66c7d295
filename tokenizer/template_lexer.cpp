#include "tokenizer/template_lexer.h"

#include <algorithm>

namespace kern {

namespace {

constexpr std::string_view white = " \t\n\r\v\f";

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Where `closing` stands from `position` on, outside strings.
std::size_t find_closing(std::string_view source, std::size_t position, std::string_view closing) {
  char quote = 0;
  for (; position < source.size(); ++position) {
    const char c = source[position];
    if (quote) {
      if (c == '\\') ++position;
      else if (c == quote) quote = 0;
    } else if (source.substr(position).starts_with(closing)) {
      return position;
    } else if (c == '\'' || c == '"') {
      quote = c;
    }
  }
  return std::string_view::npos;
}

std::size_t find_opening(std::string_view source, std::size_t position) {
  for (; (position = source.find('{', position)) != std::string_view::npos; ++position)
    if (position + 1 < source.size() && std::string_view("{%#").find(source[position + 1]) != std::string_view::npos)
      return position;
  return source.size();
}

/// lstrip_blocks: blanks between the line's start and a statement go.
void strip_line_start(std::string& text, bool at_line_start) {
  const std::size_t last = text.find_last_not_of(" \t");
  if (last == std::string::npos ? at_line_start : text[last] == '\n')
    text.resize(last == std::string::npos ? 0 : last + 1);
}

char unescape(char c) {
  switch (c) {
  case 'n': return '\n';
  case 't': return '\t';
  case 'r': return '\r';
  default: return c;
  }
}

} // namespace

std::optional<std::vector<TemplateItem>> split_template(std::string_view source) {
  if (source.ends_with('\n')) source.remove_suffix(1); // Jinja drops one
  std::vector<TemplateItem> items;
  bool strip_next = false;   // the tag before ended in "-"
  bool trim_newline = false; // the tag before was a statement or comment: trim_blocks
  for (std::size_t position = 0;;) {
    const std::size_t opening = find_opening(source, position);
    std::string text(source.substr(position, opening - position));
    bool at_line_start = position == 0;
    if (strip_next) {
      text.erase(0, std::min(text.find_first_not_of(white), text.size()));
    } else if (trim_newline && text.starts_with('\n')) {
      text.erase(0, 1);
      at_line_start = true;
    }
    if (opening == source.size()) {
      if (!text.empty()) items.push_back({TemplateItem::Kind::text, std::move(text)});
      return items;
    }
    const char kind = source[opening + 1];
    const char mark = opening + 2 < source.size() ? source[opening + 2] : '\0';
    if (mark == '-') text.erase(std::min(text.find_last_not_of(white) + 1, text.size()));
    else if (mark != '+' && kind != '{') strip_line_start(text, at_line_start);
    if (!text.empty()) items.push_back({TemplateItem::Kind::text, std::move(text)});

    const std::string_view closing = kind == '{' ? "}}" : kind == '%' ? "%}" : "#}";
    std::size_t begin = opening + 2;
    if (mark == '-' || mark == '+') ++begin;
    const std::size_t end = kind == '#' ? source.find(closing, begin) : find_closing(source, begin, closing);
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view code = source.substr(begin, end - begin);
    strip_next = code.ends_with('-');
    const bool keep_newline = code.ends_with('+');
    if (strip_next || keep_newline) code.remove_suffix(1);
    trim_newline = kind != '{' && !keep_newline;
    if (kind != '#')
      items.push_back(
          {kind == '{' ? TemplateItem::Kind::expression : TemplateItem::Kind::statement, std::string(code)});
    position = end + 2;
  }
}

std::optional<std::vector<TemplateWord>> split_words(std::string_view code) {
  std::vector<TemplateWord> words;
  for (std::size_t i = 0; i < code.size();) {
    const char c = code[i];
    if (white.find(c) != std::string_view::npos) {
      ++i;
    } else if (is_name_byte(c)) {
      std::size_t end = i;
      while (end < code.size() && is_name_byte(code[end])) ++end;
      const auto kind = is_digit(c) ? TemplateWord::Kind::number : TemplateWord::Kind::name;
      words.push_back({kind, std::string(code.substr(i, end - i))});
      i = end;
    } else if (c == '\'' || c == '"') {
      std::string value;
      for (++i; i < code.size() && code[i] != c; ++i) {
        if (code[i] == '\\' && i + 1 < code.size()) {
          if (std::string_view("xuU01234567\nabfvN").find(code[i + 1]) != std::string_view::npos) return std::nullopt;
          const bool known = std::string_view("ntr'\"\\").find(code[i + 1]) != std::string_view::npos;
          if (!known) value += '\\'; // as in Python, an unknown escape stands for itself
          value += unescape(code[++i]);
        } else {
          value += code[i];
        }
      }
      if (i >= code.size()) return std::nullopt;
      ++i;
      words.push_back({TemplateWord::Kind::string, std::move(value)});
    } else {
      const std::string_view two = code.substr(i, 2);
      const bool is_two = two == "==" || two == "!=" || two == "<=" || two == ">=";
      if (!is_two && std::string_view("()[]{}.,:|+~-*/%=<>").find(c) == std::string_view::npos) return std::nullopt;
      words.push_back({TemplateWord::Kind::symbol, std::string(code.substr(i, is_two ? 2 : 1))});
      i += is_two ? 2 : 1;
    }
  }
  words.push_back({});
  return words;
}

} // namespace kern
