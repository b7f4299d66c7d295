// Values of Jinja expressions, with "unknown" for whatever the subset can't tell.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/template_lexer.h"
#include "tokenizer/template_renderer.h"

namespace kern {

struct UnknownValue {};
struct UndefinedValue {};
struct NoneValue {};
struct MessagesValue {
  std::size_t first = 0; // messages[first:]; past the last one: an empty list
};
struct MessageValue {
  std::size_t index = 0;
};
using TemplateValue =
    std::variant<UnknownValue, UndefinedValue, NoneValue, bool, std::int64_t, std::string, MessagesValue, MessageValue>;

/// Nothing: can't be told.
std::optional<bool> truth(const TemplateValue& value);

struct TemplateScope {
  const std::vector<TemplateMessage>& messages;
  std::map<std::string, TemplateValue> values; // attributes of loop and of namespaces under "loop.first", "ns.name"
};

/// Reads one expression from words[position] on and leaves the position behind it. Syntax outside the subset makes the
/// value unknown and `failed()` true.
class ExpressionReader {
public:
  ExpressionReader(const TemplateScope& scope, const std::vector<TemplateWord>& words, std::size_t position = 0)
      : scope_(scope), words_(words), position_(position) {}

  TemplateValue read();
  bool failed() const { return failed_; }
  bool at_end() const { return word().kind == TemplateWord::Kind::end; }
  const TemplateWord& word() const { return words_[position_]; }
  /// Steps over the word where it is this name or symbol.
  bool accept(std::string_view text);
  std::size_t position() const { return position_; }

private:
  TemplateValue read_or();
  TemplateValue read_and();
  TemplateValue read_not();
  TemplateValue read_comparison();
  TemplateValue read_test(const TemplateValue& value);
  TemplateValue read_sum();
  TemplateValue read_product();
  TemplateValue read_postfix();
  TemplateValue read_primary(std::string* path);
  TemplateValue read_subscript(const TemplateValue& value);
  TemplateValue attribute(const TemplateValue& value, const std::string& name) const;
  void skip_brackets(std::string_view opening, std::string_view closing);
  TemplateValue fail();

  const TemplateScope& scope_;
  const std::vector<TemplateWord>& words_;
  std::size_t position_;
  int depth_ = 0;
  bool failed_ = false;
};

} // namespace kern
