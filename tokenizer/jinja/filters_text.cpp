// Filters whose result is a text or a number.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

namespace {

template <Text (*map)(const Text&)> Value mapped(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("filter", arguments, {});
  const Text text = interpreter.to_text(value);
  interpreter.budget().bytes(text.size() * 2);
  return interpreter.text(map(text));
}

/// Like str.title(), but words begin after white space and ( [ { < - only.
Text title_of_words(const Text& text) {
  Text out;
  bool begins = true;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    const Text one = text.slice(at, at + c.size);
    out.append(begins ? upper(one) : lower(one));
    begins = is_space(c.code) || std::u32string_view(U"-({[<").find(c.code) != std::u32string_view::npos;
    at += c.size;
  }
  return out;
}

Text escape_html(const Text& text) {
  Text out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    constexpr std::string_view special = "&<>'\"";
    constexpr std::string_view entities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    const std::size_t known = special.find(text.view()[at]);
    if (known == std::string_view::npos) out.append(text, at, at + 1);
    else out.append(entities[known], text.marked(at, at + 1));
  }
  return out;
}

Text encode_url(const Text& text) {
  Text out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text.view()[at]);
    const bool plain = byte < 0x80 && (is_letter(byte) || is_digit(byte) ||
                                       std::string_view("_.-~/").find(text.view()[at]) != std::string_view::npos);
    if (plain) out.append(text, at, at + 1);
    else out.append(fmt::format("%{:02X}", byte), text.marked(at, at + 1));
  }
  return out;
}

Text same(const Text& text) { return text; }

Value trim(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  return interpreter.text(strip(interpreter.to_text(value), Ends::both, bound.text(0)));
}

Value replace_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t count = bound.get(2) && !bound.get(2)->is_none() ? bound.integer(2, -1) : -1;
  return interpreter.text(replace(interpreter.to_text(value), interpreter.to_text(*bound.get(0)),
                                  interpreter.to_text(*bound.get(1)), count, interpreter.budget()));
}

Value indent(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  Text indention;
  if (bound.get(0) && bound.get(0)->is_text()) indention = bound.get(0)->text();
  else {
    const std::int64_t width = std::max<std::int64_t>(bound.integer(0, 4), 0);
    interpreter.budget().bytes(static_cast<std::uint64_t>(width));
    indention = Text(std::string(static_cast<std::size_t>(width), ' '));
  }
  Text text = interpreter.to_text(value);
  text.append("\n"); // so that a newline at the end gives an empty line, as Jinja has it
  Text out;
  if (bound.flag(1, false)) out.append(indention);
  bool first = true;
  for (const Value& line : split_lines(text, false)) {
    if (!first) out.append("\n");
    if (!first && (bound.flag(2, false) || !line.text().empty())) {
      interpreter.budget().bytes(indention.size());
      out.append(indention);
    }
    out.append(line.text());
    first = false;
  }
  return interpreter.text(std::move(out));
}

Value center(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("center", arguments, {"width"});
  Arguments width;
  width.positional.push_back(bound.integer(0, 80));
  return call_text_method(interpreter, interpreter.to_text(value), "center", width);
}

Value truncate(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const Text text = interpreter.to_text(value);
  const std::int64_t length = bound.integer(0, 255);
  const Text end = bound.text(2) ? *bound.text(2) : Text("...");
  const std::int64_t leeway = bound.get(3) && !bound.get(3)->is_none() ? bound.integer(3, 5) : 5;
  const std::int64_t kept = length - static_cast<std::int64_t>(count_characters(end.view()));
  if (kept < 0 || leeway < 0) throw Problem("truncate: the length is shorter than what marks the end");
  interpreter.budget().bytes(text.size() * 8);
  const std::vector<std::size_t> offsets = character_offsets(text.view());
  const auto size = static_cast<std::int64_t>(offsets.size()) - 1;
  if (size <= length || size - length <= leeway) return interpreter.text(text);
  std::size_t stop = offsets[static_cast<std::size_t>(kept)];
  if (!bound.flag(1, false))
    if (const std::size_t space = text.view().substr(0, stop).rfind(' '); space != std::string_view::npos) stop = space;
  Text out = text.slice(0, stop);
  return interpreter.text(out.append(end));
}

Value to_json_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = bound.flag(0, false);
  style.sort_keys = bound.flag(3, false);
  if (const Value* given = bound.get(1); given && !given->is_none()) {
    if (given->is_text()) style.indent = std::string(given->text().view());
    else
      style.indent = std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(bound.integer(1, 0), 0, 1000)), ' ');
    style.item_separator = ",";
  }
  if (const Value* given = bound.get(2); given && !given->is_none()) {
    const std::vector<Value> two = iterate(*given, interpreter.budget());
    if (two.size() != 2 || !two[0].is_text() || !two[1].is_text()) throw Problem("tojson: expected two separators");
    style.item_separator = two[0].text().view();
    style.key_separator = two[1].text().view();
  }
  return interpreter.text(to_json(value, style, interpreter.budget()));
}

Value format_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty())
    throw Problem("format: found arguments with and without names, expected one kind");
  Value values;
  if (arguments.named.empty()) {
    values = interpreter.list(std::move(arguments.positional), Sequence::Kind::tuple);
  } else {
    auto dict = std::make_shared<Dict>();
    for (auto& [name, argument] : arguments.named) dict->set(make_text(name), argument, interpreter.budget());
    values = DictPtr(std::move(dict));
  }
  return interpreter.text(format_percent(interpreter.to_text(value), values, interpreter.budget()));
}

Value word_count(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("wordcount", arguments, {});
  const Text text = interpreter.to_text(value);
  std::int64_t count = 0;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text.view(), at);
    const bool is_word = is_letter(c.code) || is_digit(c.code) || c.code == '_';
    if (is_word && !in_word) ++count;
    in_word = is_word;
    at += c.size;
  }
  return count;
}

std::string number_text(const Text& text) {
  const Text stripped = strip(text, Ends::both);
  std::string digits(stripped.view());
  std::erase(digits, '_');
  return digits;
}

std::optional<double> parse_float(const Text& text) {
  const std::string digits = number_text(text);
  if (digits.empty() || digits.find_first_of("xXpP") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(digits.c_str(), &end);
  return end == digits.c_str() + digits.size() ? std::optional(number) : std::nullopt;
}

std::optional<std::int64_t> parse_integer(const Text& text, int base) {
  const std::string all = number_text(text);
  std::string_view digits = all;
  const bool negative = digits.starts_with('-');
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.size() > 2 && digits[0] == '0') {
    const char kind = static_cast<char>(digits[1] | 0x20);
    const int named = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
    if (named && (base == named || base == 0)) {
      digits.remove_prefix(2);
      base = named;
    }
  }
  if (base == 0) base = 10;
  if (base < 2 || base > 36 || digits.empty() || digits[0] == '-') return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return negative ? -number : number;
}

Value to_int(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  check_defined(value);
  const Value fallback = bound.get(0) ? *bound.get(0) : Value(0);
  std::optional<double> number = value.number();
  if (const auto integer = value.integer()) return *integer;
  if (value.is_text()) {
    const std::int64_t base = bound.integer(1, 10);
    if (base < 0 || base > 36) return fallback;
    if (const auto integer = parse_integer(value.text(), static_cast<int>(base))) return *integer;
    number = parse_float(value.text());
  }
  if (!number || !(std::abs(*number) < 9.2e18)) return fallback;
  return static_cast<std::int64_t>(*number);
}

Value to_float(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  check_defined(value);
  if (const auto number = value.number()) return *number;
  if (value.is_text())
    if (const auto number = parse_float(value.text())) return *number;
  return bound.get(0) ? *bound.get(0) : Value(0.0);
}

Value absolute(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound none("abs", arguments, {});
  const auto number = value.number();
  check_defined(value);
  if (!number) throw Problem(fmt::format("abs: found {}, expected a number", type_name(value)));
  if (const auto integer = value.integer()) return *integer < 0 ? negate(value) : Value(*integer);
  return std::abs(*number);
}

Value round_filter(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  check_defined(value);
  const auto number = value.number();
  if (!number) throw Problem(fmt::format("round: found {}, expected a number", type_name(value)));
  const std::int64_t precision = bound.integer(0, 0);
  const std::string_view method = bound.text(1) ? bound.text(1)->view() : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    throw Problem("round: the method is common, ceil or floor");
  if (precision < -300 || precision > 300) throw Problem("round: the precision is out of range");
  if (method != "common") {
    const double scale = std::pow(10.0, static_cast<double>(precision));
    return (method == "ceil" ? std::ceil(*number * scale) : std::floor(*number * scale)) / scale;
  }
  if (value.integer() && precision >= 0) return *value.integer();
  if (!std::isfinite(*number)) return *number;
  if (precision >= 0) return std::strtod(fmt::format("{:.{}f}", *number, precision).c_str(), nullptr);
  const double scale = std::pow(10.0, static_cast<double>(-precision));
  const double rounded = std::nearbyint(*number / scale) * scale;
  return value.integer() ? Value(static_cast<std::int64_t>(rounded)) : Value(rounded);
}

} // namespace

Filter find_text_filter(std::string_view name) {
  static const std::map<std::string_view, Filter> filters = {
      {"abs", absolute},
      {"capitalize", mapped<capitalize>},
      {"center", center},
      {"e", mapped<escape_html>},
      {"escape", mapped<escape_html>},
      {"float", to_float},
      {"forceescape", mapped<escape_html>},
      {"format", format_filter},
      {"indent", indent},
      {"int", to_int},
      {"lower", mapped<lower>},
      {"replace", replace_filter},
      {"round", round_filter},
      {"safe", mapped<same>},
      {"string", mapped<same>},
      {"title", mapped<title_of_words>},
      {"tojson", to_json_filter},
      {"trim", trim},
      {"truncate", truncate},
      {"upper", mapped<upper>},
      {"urlencode", mapped<encode_url>},
      {"wordcount", word_count},
  };
  const auto place = filters.find(name);
  return place == filters.end() ? nullptr : place->second;
}

} // namespace kern::jinja
