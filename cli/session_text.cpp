#include "cli/session_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/terminal.h"
#include "model/error.h"
#include "tokenizer/chat_template.h"

namespace kern {

namespace {

using Json = nlohmann::ordered_json;

constexpr int max_depth = 64; // of arrays and objects; writing a line goes as deep as it is nested

/// Where a line is, for messages.
struct Place {
  const std::string& name;
  std::size_t line;

  [[noreturn]] void fail(std::string_view found, std::string_view expected) const {
    throw Error(ExitCode::usage, fmt::format("{}: line {}: found {}, expected {}; mend or remove the line", name, line,
                                             found, expected));
  }
};

/// How deeply arrays and objects are nested, counted without going there.
int nesting(std::string_view line) {
  int depth = 0, deepest = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_text) {
      if (c == '\\') ++i;
      else if (c == '"') in_text = false;
    } else if (c == '"') in_text = true;
    else if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    else if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

std::string shown_text(std::string_view text) {
  constexpr std::size_t most = 40;
  return fmt::format("'{}'{}", escape_line(text.substr(0, most)), text.size() > most ? "..." : "");
}

std::string text_field(const Json& object, const char* key, const Place& place, std::string_view expected) {
  const auto field = object.find(key);
  if (field == object.end()) place.fail(fmt::format("no \"{}\"", key), expected);
  if (!field->is_string()) place.fail(fmt::format("\"{}\" with {}", key, field->type_name()), expected);
  return field->get<std::string>();
}

SessionMessage parse_line(std::string_view line, const Place& place) {
  constexpr std::string_view expected =
      "an object as in {\"role\": \"user\", \"content\": \"Hello\"}, written on one line";
  if (line.size() > max_session_line_bytes)
    place.fail(fmt::format("{} bytes", line.size()), fmt::format("at most {} MiB", max_session_line_bytes >> 20));
  if (nesting(line) > max_depth) place.fail("lists within lists", fmt::format("at most {} levels", max_depth));
  SessionMessage message;
  try {
    message.fields = Json::parse(line);
  } catch (const Json::exception&) {
    place.fail(shown_text(line), expected);
  }
  if (!message.fields.is_object()) place.fail(shown_text(line), expected);
  message.role = text_field(message.fields, "role", place, "\"system\", \"user\" or \"assistant\"");
  if (!is_known_role(message.role))
    place.fail(fmt::format("the role {}", shown_text(message.role)), "\"system\", \"user\" or \"assistant\"");
  message.content = text_field(message.fields, "content", place, "the message's text");
  if (message.fields.contains("end"))
    message.end = text_field(message.fields, "end", place, "why the answer ended, a text");
  return message;
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

/// Whether a last line without its newline may be the beginning of one that kern wrote. A crash of the machine may
/// leave zero bytes, too.
bool may_be_torn(std::string_view line) { return line.front() == '{' || line.front() == '\0'; }

} // namespace

SessionText parse_session(std::string_view text, const std::string& name) {
  if (text.size() > max_session_bytes)
    throw Error(ExitCode::usage, fmt::format("{}: found {} bytes, expected a session of at most {} MiB; begin another",
                                             name, text.size(), max_session_bytes >> 20));
  SessionText session;
  std::size_t number = 1;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    const std::size_t newline = text.find('\n', begin);
    const bool last = newline == std::string_view::npos;
    const std::string_view line = text.substr(begin, last ? newline : newline - begin);
    if (!is_blank(line)) {
      try {
        session.messages.push_back(parse_line(line, {name, number}));
      } catch (const Error&) {
        if (!last || !may_be_torn(line) || line.size() > max_session_line_bytes) throw;
        return session;
      }
    }
    begin = last ? text.size() : newline + 1;
    session.whole_bytes = begin;
  }
  return session;
}

std::string session_line(const SessionMessage& message) {
  Json object = message.fields.is_object() ? message.fields : Json::object();
  object["role"] = message.role;
  object["content"] = message.content;
  if (!message.end.empty()) object["end"] = message.end;
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace kern
