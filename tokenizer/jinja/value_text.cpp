// str(), repr() and json.dumps() of values.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tokenizer/jinja/value.h"

namespace kern::jinja {

namespace {

void write_repr_text(Text& out, const Text& text, Budget& budget) {
  const std::string_view view = text.view();
  budget.bytes(view.size() + 2);
  const bool doubled = view.find('\'') != std::string_view::npos && view.find('"') == std::string_view::npos;
  const std::string_view quote = doubled ? "\"" : "'";
  out.append(quote);
  for (std::size_t at = 0; at < view.size();) {
    const Character c = character_at(view, at);
    const std::size_t end = at + c.size;
    const bool marked = text.marked(at, end);
    if (c.code == '\\' || view.substr(at, c.size) == quote) out.append("\\", marked).append(text, at, end);
    else if (c.code == '\n') out.append("\\n", marked);
    else if (c.code == '\r') out.append("\\r", marked);
    else if (c.code == '\t') out.append("\\t", marked);
    else if (is_printable(c.code)) out.append(text, at, end);
    else {
      const auto code = static_cast<std::uint32_t>(c.code);
      out.append(code < 0x100     ? fmt::format("\\x{:02x}", code)
                 : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                                  : fmt::format("\\U{:08x}", code),
                 marked);
    }
    at = end;
  }
  out.append(quote);
}

void write_elements(Text& out, const std::vector<Value>& elements, Budget& budget) {
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i) out.append(", ");
    write_repr(out, elements[i], budget);
  }
}

void write_sequence(Text& out, const Sequence& sequence, Budget& budget) {
  const auto& elements = sequence.elements;
  switch (sequence.kind) {
  case Sequence::Kind::generator: out.append("<generator object>"); return;
  case Sequence::Kind::range:
    out.append(elements.empty() ? std::string("range(0, 0)")
                                : fmt::format("range({}, {})", elements.front().integer().value_or(0),
                                              elements.back().integer().value_or(0) + 1));
    return;
  case Sequence::Kind::tuple:
  case Sequence::Kind::group:
    out.append("(");
    write_elements(out, elements, budget);
    out.append(elements.size() == 1 ? ",)" : ")");
    return;
  case Sequence::Kind::list:
    out.append("[");
    write_elements(out, elements, budget);
    out.append("]");
    return;
  case Sequence::Kind::keys: out.append("dict_keys(["); break;
  case Sequence::Kind::values: out.append("dict_values(["); break;
  case Sequence::Kind::items: out.append("dict_items(["); break;
  }
  write_elements(out, elements, budget);
  out.append("])");
}

/// json.dumps() over a value and what it holds.
class JsonWriter {
public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  void write(const Value& value) {
    budget_.bytes(8);
    if (value.is_none()) out.append("null");
    else if (const bool* flag = value.get_if<bool>()) out.append(*flag ? "true" : "false");
    else if (const auto* integer = value.get_if<std::int64_t>()) out.append(fmt::format("{}", *integer));
    else if (const double* number = value.get_if<double>()) out.append(json_float(*number));
    else if (value.is_text()) write_text(value.text());
    else if (value.is<DictPtr>()) write_dict(value.dict());
    else if (value.is<SequencePtr>() && (value.sequence().is_tuple() || value.sequence().kind == Sequence::Kind::list))
      write_list(value.sequence().elements);
    else if (value.is_undefined() && value.get_if<Undefined>()->problem)
      throw Problem(fmt::format("{}, so it has no JSON form", *value.get_if<Undefined>()->problem));
    else throw Problem(fmt::format("a {} has no JSON form", type_name(value)));
  }

  Text out;

private:
  static std::string json_float(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
    return repr_float(number);
  }

  void write_text(const Text& text) {
    const std::string_view view = text.view();
    budget_.bytes(view.size() + 2);
    out.append("\"");
    for (std::size_t at = 0; at < view.size();) {
      const Character c = character_at(view, at);
      const std::size_t end = at + c.size;
      const bool marked = text.marked(at, end);
      const auto code = static_cast<std::uint32_t>(c.code);
      constexpr std::string_view plain = "\"\\\n\r\t\f\b";
      constexpr std::string_view escaped = "\"\\nrtfb";
      const std::size_t known = c.size == 1 && code < 0x80 ? plain.find(view[at]) : std::string_view::npos;
      if (known != std::string_view::npos) out.append("\\", marked).append(escaped.substr(known, 1), marked);
      else if (code < 0x20) out.append(unit(code), marked);
      else if (style_.ensure_ascii && code >= 0x10000)
        out.append(unit(0xD800 + ((code - 0x10000) >> 10)) + unit(0xDC00 + ((code - 0x10000) & 0x3FF)), marked);
      else if (style_.ensure_ascii && code >= 0x80) out.append(unit(code), marked);
      else out.append(text, at, end);
      at = end;
    }
    out.append("\"");
  }

  static std::string unit(std::uint32_t code) { return fmt::format("\\u{:04x}", code); }

  void write_key(const Value& key) {
    if (key.is_text()) return write_text(key.text());
    if (!key.is_none() && !key.number()) throw Problem(fmt::format("a {} can't be a key in JSON", type_name(key)));
    out.append("\"");
    write(key);
    out.append("\"");
  }

  void new_line() {
    if (!style_.indent) return;
    budget_.bytes(style_.indent->size() * static_cast<std::size_t>(level_) + 1);
    out.append("\n");
    for (int i = 0; i < level_; ++i) out.append(*style_.indent);
  }

  void separate(bool first) {
    // With an indent, white space at the end of a line is json.dumps()'s own business: its separator is ",".
    if (!first) out.append(style_.item_separator);
    new_line();
  }

  void write_list(const std::vector<Value>& elements) {
    if (elements.empty()) {
      out.append("[]");
      return;
    }
    out.append("[");
    ++level_;
    bool first = true;
    for (const Value& element : elements) {
      separate(first);
      first = false;
      write(element);
    }
    --level_;
    new_line();
    out.append("]");
  }

  void write_dict(const Dict& dict) {
    if (dict.entries().empty()) {
      out.append("{}");
      return;
    }
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
    budget_.step(entries.size());
    if (style_.sort_keys)
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto* a, const auto* b) { return compare(a->first, b->first, budget_) < 0; });
    out.append("{");
    ++level_;
    bool first = true;
    for (const Dict::Entry* entry : entries) {
      separate(first);
      first = false;
      write_key(entry->first);
      out.append(style_.key_separator);
      write(entry->second);
    }
    --level_;
    new_line();
    out.append("}");
  }

  const JsonStyle& style_;
  Budget& budget_;
  int level_ = 0;
};

} // namespace

std::string repr_float(double number) {
  if (std::isnan(number)) return "nan";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

void write_repr(Text& out, const Value& value, Budget& budget) {
  budget.bytes(8);
  if (value.is_undefined()) out.append("Undefined");
  else if (value.is_text()) write_repr_text(out, value.text(), budget);
  else if (value.is<SequencePtr>()) write_sequence(out, value.sequence(), budget);
  else if (value.is<DictPtr>()) {
    out.append("{");
    bool first = true;
    for (const Dict::Entry& entry : value.dict().entries()) {
      if (!first) out.append(", ");
      first = false;
      write_repr(out, entry.first, budget);
      out.append(": ");
      write_repr(out, entry.second, budget);
    }
    out.append("}");
  } else out.append(to_text(value, budget));
}

Text to_text(const Value& value, Budget& budget) {
  if (value.is_text()) return value.text();
  if (value.is_undefined()) return {};
  if (value.is_none()) return Text("None");
  if (const bool* flag = value.get_if<bool>()) return Text(*flag ? "True" : "False");
  if (const auto* integer = value.get_if<std::int64_t>()) return Text(fmt::format("{}", *integer));
  if (const double* number = value.get_if<double>()) return Text(repr_float(*number));
  if (value.is<ObjectPtr>()) return Text(value.object()->describe());
  Text out;
  write_repr(out, value, budget);
  return out;
}

Text to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value);
  return std::move(writer.out);
}

} // namespace kern::jinja
