#include "cli/extract.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace kern {

namespace {

struct Fence {
  char kind = 0;
  std::size_t length = 0;
  std::size_t indent = 0;
};

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(" \t"), line.size()); }

/// The fence that a line opens; a length below 3 is none.
Fence read_fence(std::string_view line) {
  Fence fence;
  fence.indent = indent_of(line);
  line.remove_prefix(fence.indent);
  if (line.empty() || (line[0] != '`' && line[0] != '~')) return fence;
  fence.kind = line[0];
  fence.length = std::min(line.find_first_not_of(fence.kind), line.size());
  // ```word``` on one line is code within a text.
  if (fence.kind == '`' && line.find('`', fence.length) != std::string_view::npos) fence.length = 0;
  return fence;
}

bool closes(std::string_view line, const Fence& fence) {
  line.remove_prefix(indent_of(line));
  const std::size_t length = std::min(line.find_first_not_of(fence.kind), line.size());
  return length >= fence.length && line.find_first_not_of(" \t\r", length) == std::string_view::npos;
}

/// Bytes from an opening bracket to the one that closes it; 0 where none does.
std::size_t bracketed(std::string_view text) {
  std::string open;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      open += c == '{' ? '}' : ']';
    } else if (c == '}' || c == ']') {
      if (open.back() != c) return 0;
      open.pop_back();
      if (open.empty()) return i + 1;
    }
  }
  return 0;
}

} // namespace

std::optional<std::string> extract_code(std::string_view text) {
  while (!text.empty()) {
    const Fence fence = read_fence(take_line(text));
    if (fence.length < 3) continue;
    std::string code;
    while (!text.empty()) {
      std::string_view line = take_line(text);
      if (closes(line, fence)) return code;
      line.remove_prefix(std::min(indent_of(line), fence.indent));
      code += line;
      code += '\n';
    }
  }
  return std::nullopt;
}

std::optional<std::string> extract_json(std::string_view text) {
  // Each bracket that leads nowhere costs a look at the rest.
  constexpr int most_tries = 1000;
  std::size_t at = 0;
  for (int tries = 0; tries < most_tries; ++tries, ++at) {
    at = text.find_first_of("{[", at);
    if (at == std::string_view::npos) break;
    const std::string_view candidate = text.substr(at, bracketed(text.substr(at)));
    if (!candidate.empty() && nlohmann::json::accept(candidate)) return std::string(candidate);
  }
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return std::nullopt;
  const std::string_view whole = text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
  return nlohmann::json::accept(whole) ? std::optional<std::string>(whole) : std::nullopt;
}

} // namespace kern
