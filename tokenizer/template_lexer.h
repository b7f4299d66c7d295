// Jinja source -> texts, expressions and statements.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kern {

struct TemplateItem {
  enum class Kind { text, expression, statement };
  Kind kind;
  std::string content; // what stands between the delimiters; text with white space already trimmed as Jinja trims it
};

/// Nothing where a delimiter isn't closed. Comments are dropped.
std::optional<std::vector<TemplateItem>> split_template(std::string_view source);

struct TemplateWord {
  enum class Kind { name, string, number, symbol, end };
  Kind kind = Kind::end;
  std::string text; // of a string its value; of a symbol one or two characters
};

/// The words of an expression or statement, `end` last; nothing where a string isn't closed or a character has no
/// meaning.
std::optional<std::vector<TemplateWord>> split_words(std::string_view code);

} // namespace kern
