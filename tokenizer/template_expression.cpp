#include "tokenizer/template_expression.h"

#include <charconv>

namespace kern {

namespace {

constexpr int deepest = 64;
constexpr std::size_t longest_value = 1 << 15;

template <class T> bool holds(const TemplateValue& value) { return std::holds_alternative<T>(value); }

TemplateValue from_truth(std::optional<bool> value) { return value ? TemplateValue(*value) : UnknownValue{}; }

/// Equality of values of one type; what isn't a string, number or bool is not compared.
std::optional<bool> equal(const TemplateValue& a, const TemplateValue& b) {
  if (holds<UnknownValue>(a) || holds<UnknownValue>(b)) return std::nullopt;
  if (holds<std::string>(a) && holds<std::string>(b)) return std::get<std::string>(a) == std::get<std::string>(b);
  if (holds<std::int64_t>(a) && holds<std::int64_t>(b)) return std::get<std::int64_t>(a) == std::get<std::int64_t>(b);
  if (holds<bool>(a) && holds<bool>(b)) return std::get<bool>(a) == std::get<bool>(b);
  if (holds<std::string>(a) || holds<std::string>(b)) return false; // text equals nothing but text
  return std::nullopt;
}

} // namespace

std::optional<bool> truth(const TemplateValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number != 0;
  if (const auto* text = std::get_if<std::string>(&value)) return !text->empty();
  if (holds<UndefinedValue>(value) || holds<NoneValue>(value)) return false;
  if (holds<MessageValue>(value)) return true;
  return std::nullopt;
}

TemplateValue ExpressionReader::fail() {
  failed_ = true;
  position_ = words_.size() - 1;
  return UnknownValue{};
}

bool ExpressionReader::accept(std::string_view text) {
  const bool fits =
      word().kind != TemplateWord::Kind::string && word().kind != TemplateWord::Kind::end && word().text == text;
  if (fits) ++position_;
  return fits;
}

TemplateValue ExpressionReader::read() {
  if (++depth_ > deepest) return fail();
  TemplateValue value = read_or();
  if (accept("if")) {
    const auto condition = truth(read_or());
    const TemplateValue other = accept("else") ? read() : TemplateValue(UndefinedValue{});
    if (!condition) value = UnknownValue{};
    else if (!*condition) value = other;
  }
  --depth_;
  return value;
}

TemplateValue ExpressionReader::read_or() {
  TemplateValue value = read_and();
  while (accept("or")) {
    const TemplateValue right = read_and();
    const auto left_truth = truth(value);
    if (left_truth == false) value = right;
    else if (!left_truth) value = truth(right) == true ? TemplateValue(true) : UnknownValue{};
  }
  return value;
}

TemplateValue ExpressionReader::read_and() {
  TemplateValue value = read_not();
  while (accept("and")) {
    const TemplateValue right = read_not();
    const auto left_truth = truth(value);
    if (left_truth == true) value = right;
    else if (!left_truth) value = truth(right) == false ? TemplateValue(false) : UnknownValue{};
  }
  return value;
}

TemplateValue ExpressionReader::read_not() {
  bool negated = false;
  bool any = false;
  while (accept("not")) {
    negated = !negated;
    any = true;
  }
  TemplateValue value = read_comparison();
  if (!any) return value;
  const auto flag = truth(value);
  return flag ? TemplateValue(*flag != negated) : UnknownValue{};
}

TemplateValue ExpressionReader::read_comparison() {
  TemplateValue value = read_sum();
  for (;;) {
    if (accept("==")) value = from_truth(equal(value, read_sum()));
    else if (accept("!=")) {
      const auto same = equal(value, read_sum());
      value = same ? TemplateValue(!*same) : UnknownValue{};
    } else if (accept("is")) {
      value = read_test(value);
    } else if (word().text == "<" || word().text == ">" || word().text == "<=" || word().text == ">=") {
      if (word().kind == TemplateWord::Kind::string) return fail();
      const std::string sign = words_[position_++].text;
      const TemplateValue right = read_sum();
      if (!holds<std::int64_t>(value) || !holds<std::int64_t>(right)) {
        value = UnknownValue{};
        continue;
      }
      const std::int64_t a = std::get<std::int64_t>(value);
      const std::int64_t b = std::get<std::int64_t>(right);
      value = sign == "<" ? a < b : sign == ">" ? a > b : sign == "<=" ? a <= b : a >= b;
    } else if (word().text == "in" || word().text == "not") {
      if (word().kind != TemplateWord::Kind::name) return fail();
      accept("not");
      if (!accept("in")) return fail();
      read_sum();
      value = UnknownValue{};
    } else {
      return value;
    }
  }
}

TemplateValue ExpressionReader::read_test(const TemplateValue& value) {
  const bool negated = accept("not");
  if (word().kind != TemplateWord::Kind::name) return fail();
  const std::string name = words_[position_++].text;
  if (word().text == "(" && word().kind == TemplateWord::Kind::symbol) skip_brackets("(", ")");
  if (holds<UnknownValue>(value)) return UnknownValue{};
  const bool defined = !holds<UndefinedValue>(value);
  std::optional<bool> result;
  if (name == "defined") result = defined;
  else if (name == "undefined") result = !defined;
  else if (name == "none") result = holds<NoneValue>(value);
  else if (name == "string") result = holds<std::string>(value);
  else if (name == "iterable" && holds<MessagesValue>(value)) result = true;
  else if (name == "mapping") result = holds<MessageValue>(value);
  else if (name == "true") result = holds<bool>(value) && std::get<bool>(value);
  else if (name == "false") result = holds<bool>(value) && !std::get<bool>(value);
  return result ? TemplateValue(*result != negated) : UnknownValue{};
}

TemplateValue ExpressionReader::read_sum() {
  TemplateValue value = read_product();
  for (;;) {
    if (accept("-")) {
      read_product();
      value = UnknownValue{};
      continue;
    }
    if (!accept("+") && !accept("~")) return value;
    const TemplateValue right = read_product();
    const auto* a = std::get_if<std::string>(&value);
    const auto* b = std::get_if<std::string>(&right);
    if (a && b && a->size() + b->size() <= longest_value) value = *a + *b;
    else value = UnknownValue{};
  }
}

TemplateValue ExpressionReader::read_product() {
  TemplateValue value = read_postfix();
  while (accept("*") || accept("/") || accept("%")) {
    read_postfix();
    value = UnknownValue{};
  }
  return value;
}

TemplateValue ExpressionReader::read_postfix() {
  std::string path;
  TemplateValue value = read_primary(&path);
  for (;;) {
    if (accept(".")) {
      if (word().kind != TemplateWord::Kind::name) return fail();
      const std::string name = words_[position_++].text;
      path += "." + name;
      const auto known = scope_.values.find(path);
      value = known != scope_.values.end() ? known->second : attribute(value, name);
    } else if (word().kind == TemplateWord::Kind::symbol && word().text == "[") {
      value = read_subscript(value);
      path = "?";
    } else if (word().kind == TemplateWord::Kind::symbol && word().text == "(") {
      skip_brackets("(", ")");
      value = UnknownValue{};
      path = "?";
    } else if (accept("|")) {
      if (word().kind != TemplateWord::Kind::name) return fail();
      const std::string filter = words_[position_++].text;
      const bool counts = filter == "length" || filter == "count";
      if (counts && holds<UndefinedValue>(value)) value = std::int64_t{0};
      else if (counts && holds<MessagesValue>(value))
        value = static_cast<std::int64_t>(scope_.messages.size() - std::get<MessagesValue>(value).first);
      else value = UnknownValue{};
      path = "?";
    } else {
      return value;
    }
  }
}

TemplateValue ExpressionReader::read_primary(std::string* path) {
  *path = "?";
  const TemplateWord current = word();
  if (current.kind == TemplateWord::Kind::end) return fail();
  ++position_;
  switch (current.kind) {
  case TemplateWord::Kind::string: {
    std::string text = current.text;
    while (word().kind == TemplateWord::Kind::string)
      text += words_[position_++].text; // neighbours are one, as in Python
    return text;
  }
  case TemplateWord::Kind::number: {
    std::int64_t number = 0;
    const char* end = current.text.data() + current.text.size();
    const auto parsed = std::from_chars(current.text.data(), end, number);
    return parsed.ec == std::errc{} && parsed.ptr == end ? TemplateValue(number) : UnknownValue{};
  }
  case TemplateWord::Kind::name: {
    if (current.text == "true" || current.text == "True") return true;
    if (current.text == "false" || current.text == "False") return false;
    if (current.text == "none" || current.text == "None") return NoneValue{};
    *path = current.text;
    const auto known = scope_.values.find(current.text);
    return known == scope_.values.end() ? UndefinedValue{} : known->second;
  }
  default: break;
  }
  --position_;
  if (accept("(")) {
    TemplateValue value = read();
    return accept(")") ? value : fail();
  }
  const std::size_t start = position_;
  if (current.text == "[") skip_brackets("[", "]");
  else if (current.text == "{") skip_brackets("{", "}");
  else return fail();
  const bool is_empty_list = current.text == "[" && position_ == start + 2;
  return is_empty_list ? TemplateValue(MessagesValue{scope_.messages.size()}) : UnknownValue{};
}

TemplateValue ExpressionReader::read_subscript(const TemplateValue& value) {
  const std::size_t start = position_;
  skip_brackets("[", "]");
  if (failed_) return UnknownValue{};
  const TemplateWord& key = words_[start + 1];
  const auto* list = std::get_if<MessagesValue>(&value);
  if (position_ == start + 3 && key.kind == TemplateWord::Kind::string) return attribute(value, key.text);
  if (!list) return UnknownValue{};
  if (position_ == start + 3 && key.kind == TemplateWord::Kind::number && key.text == "0")
    return list->first < scope_.messages.size() ? TemplateValue(MessageValue{list->first}) : UnknownValue{};
  const bool is_tail = position_ == start + 4 && key.text == "1" && words_[start + 2].text == ":";
  if (is_tail && list->first < scope_.messages.size()) return MessagesValue{list->first + 1};
  return UnknownValue{};
}

TemplateValue ExpressionReader::attribute(const TemplateValue& value, const std::string& name) const {
  const auto* message = std::get_if<MessageValue>(&value);
  if (!message) return UnknownValue{};
  const TemplateMessage& fields = scope_.messages[message->index];
  if (name == "role") return fields.role;
  if (name == "content") return fields.content;
  return UndefinedValue{};
}

void ExpressionReader::skip_brackets(std::string_view opening, std::string_view closing) {
  std::size_t open = 0;
  do {
    if (at_end()) {
      fail();
      return;
    }
    const TemplateWord& current = words_[position_++];
    if (current.kind != TemplateWord::Kind::symbol) continue;
    if (current.text == opening) ++open;
    if (current.text == closing) --open;
  } while (open > 0);
}

} // namespace kern
