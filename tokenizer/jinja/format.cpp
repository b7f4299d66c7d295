// 'text' % values, str.format() and strftime().
#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

namespace {

constexpr int widest = 10'000;

struct Style {
  Text fill{" "};
  char align = '\0'; // < > ^ or = (after the sign)
  char sign = '\0';  // + or a space: shown for positive numbers
  bool prefix = false;
  char grouping = '\0'; // , or _
  int width = 0;
  int precision = -1;
  char type = '\0';
};

int read_number(std::string_view text, std::size_t& at) {
  int number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = number * 10 + (text[at] - '0');
    if (number > widest) throw Problem(fmt::format("a format's width or precision is more than {}", widest));
  }
  return number;
}

Text pad(const Text& body, const Style& style, char align, std::size_t sign_bytes) {
  const auto missing = style.width - static_cast<int>(count_characters(body.view()));
  if (missing <= 0) return body;
  const int left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  Text out;
  const std::size_t kept = align == '=' ? sign_bytes : 0;
  out.append(body, 0, kept);
  for (int i = 0; i < left; ++i) out.append(style.fill);
  out.append(body, kept, body.size());
  for (int i = left; i < missing; ++i) out.append(style.fill);
  return out;
}

void group_digits(std::string& digits, char mark, std::size_t size) {
  std::size_t end = digits.find_first_not_of("0123456789abcdefABCDEF");
  if (end == std::string::npos) end = digits.size();
  for (; end > size; digits.insert(end, 1, mark)) end -= size;
}

std::string float_digits(double number, const Style& style) {
  const int precision = style.precision < 0 ? 6 : style.precision;
  const double size = std::abs(number);
  switch (style.type) {
  case 'f': return fmt::format("{:.{}f}", size, precision);
  case 'F': return fmt::format("{:.{}F}", size, precision);
  case 'e': return fmt::format("{:.{}e}", size, precision);
  case 'E': return fmt::format("{:.{}E}", size, precision);
  case 'G': return fmt::format("{:.{}G}", size, std::max(precision, 1));
  case '%': return fmt::format("{:.{}f}%", size * 100, precision);
  case 'g': return fmt::format("{:.{}g}", size, std::max(precision, 1));
  default: return style.precision < 0 ? repr_float(size) : fmt::format("{:.{}g}", size, std::max(precision, 1));
  }
}

std::string integer_digits(std::uint64_t size, const Style& style) {
  switch (style.type) {
  case 'x': return (style.prefix ? "0x" : "") + fmt::format("{:x}", size);
  case 'X': return (style.prefix ? "0X" : "") + fmt::format("{:X}", size);
  case 'o': return (style.prefix ? "0o" : "") + fmt::format("{:o}", size);
  case 'b': return (style.prefix ? "0b" : "") + fmt::format("{:b}", size);
  default: return fmt::format("{}", size);
  }
}

Text format_number(const Value& value, const Style& style) {
  std::string digits;
  bool negative = false;
  const bool as_float = std::string_view("fFeEgG%").find(style.type) != std::string_view::npos && style.type != '\0';
  if (const auto integer = value.integer(); integer && !as_float) {
    negative = *integer < 0;
    const auto bits = static_cast<std::uint64_t>(*integer);
    digits = integer_digits(negative ? 0 - bits : bits, style);
  } else {
    const double number = value.number().value_or(0);
    negative = std::signbit(number);
    digits = float_digits(number, style);
  }
  if (style.grouping)
    group_digits(digits, style.grouping,
                 std::string_view("xXob").find(style.type) != std::string_view::npos && style.type ? 4 : 3);
  const std::string sign = negative ? "-" : style.sign ? std::string(1, style.sign) : "";
  return pad(Text(sign + digits), style, style.align ? style.align : '>', sign.size());
}

Text first_characters(const Text& text, int count) {
  if (count < 0) return text;
  std::size_t end = 0;
  for (int i = 0; i < count && end < text.size(); ++i) end += character_at(text.view(), end).size;
  return text.slice(0, end);
}

/// One conversion of '%', its type checked against the value.
Text percent_conversion(const Value& value, Style style, Budget& budget) {
  switch (style.type) {
  case 's':
    return pad(first_characters(to_text(value, budget), style.precision), style, style.align ? style.align : '>', 0);
  case 'r':
  case 'a': {
    Text shown;
    write_repr(shown, value, budget);
    return pad(first_characters(shown, style.precision), style, style.align ? style.align : '>', 0);
  }
  case 'c':
    if (value.is_text() && count_characters(value.text().view()) == 1)
      return pad(value.text(), style, style.align ? style.align : '>', 0);
    throw Problem("%c needs one character");
  case 'd':
  case 'i':
  case 'u': {
    check_defined(value);
    if (!value.number()) throw Problem(fmt::format("%d needs a number, found {}", type_name(value)));
    const double number = *value.number();
    style.type = 'd';
    if (value.integer()) return format_number(value, style);
    if (!(std::abs(number) < 9e18)) throw Problem("%d: the number is too large");
    return format_number(static_cast<std::int64_t>(number), style);
  }
  case 'x':
  case 'X':
  case 'o':
    if (!value.integer()) throw Problem(fmt::format("%{} needs an integer", style.type));
    return format_number(value, style);
  case 'f':
  case 'F':
  case 'e':
  case 'E':
  case 'g':
  case 'G':
    check_defined(value);
    if (!value.number()) throw Problem(fmt::format("%{} needs a number, found {}", style.type, type_name(value)));
    return format_number(value, style);
  default: throw Problem(fmt::format("found '%{}', which is no conversion", style.type));
  }
}

/// [[fill]align][sign][#][0][width][,][.precision][type]
Style read_style(const Text& source) {
  const std::string_view text = source.view();
  Style style;
  constexpr std::string_view aligns = "<>=^";
  std::size_t at = 0;
  if (!text.empty()) {
    const std::size_t first = character_at(text, 0).size;
    if (first < text.size() && aligns.find(text[first]) != std::string_view::npos) {
      style.fill = source.slice(0, first);
      style.align = text[first];
      at = first + 1;
    } else if (aligns.find(text[0]) != std::string_view::npos) {
      style.align = text[at++];
    }
  }
  const auto accept = [&](std::string_view characters) -> char {
    if (at >= text.size() || characters.find(text[at]) == std::string_view::npos) return '\0';
    return text[at++];
  };
  style.sign = accept("+- ");
  if (style.sign == '-') style.sign = '\0';
  style.prefix = accept("#") != '\0';
  if (accept("0") && !style.align) {
    style.fill = Text("0");
    style.align = '=';
  }
  style.width = read_number(text, at);
  style.grouping = accept(",_");
  if (accept(".")) style.precision = read_number(text, at);
  style.type = accept("sdfFeEgG%xXobc");
  if (at != text.size()) throw Problem(fmt::format("format: found '{}', which is no format", text));
  return style;
}

Text format_value(const Value& value, const Text& spec, Budget& budget) {
  if (spec.empty()) return to_text(value, budget);
  const Style style = read_style(spec);
  if (value.number() && !value.is<bool>()) return format_number(value, style);
  if (value.is<bool>() && style.type && style.type != 's') return format_number(value, style);
  if (style.type && style.type != 's')
    throw Problem(fmt::format("format: '{}' needs a number, found {}", style.type, type_name(value)));
  return pad(first_characters(to_text(value, budget), style.precision), style, style.align ? style.align : '<', 0);
}

/// {0}, {name}, {name.attribute[key]}
class FieldReader {
public:
  FieldReader(Interpreter& interpreter, const Arguments& arguments)
      : interpreter_(interpreter), arguments_(arguments) {}

  Value read(std::string_view field) {
    const std::size_t end = std::min(field.find_first_of(".["), field.size());
    Value value = first(field.substr(0, end));
    for (field.remove_prefix(end); !field.empty();) {
      const bool attribute = field.front() == '.';
      field.remove_prefix(1);
      const std::size_t stop = std::min(attribute ? field.find_first_of(".[") : field.find(']'), field.size());
      const std::string name(field.substr(0, stop));
      if (attribute) value = interpreter_.attribute(value, name);
      else value = interpreter_.item(value, is_number(name) ? Value(std::stoi(name)) : make_text(name));
      field.remove_prefix(std::min(field.size(), stop + (attribute ? 0 : 1)));
      if (!field.empty() && field.front() != '.' && field.front() != '[') throw Problem("format: a field is malformed");
    }
    return value;
  }

private:
  static bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 9 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  }

  Value first(std::string_view name) {
    if (name.empty() || is_number(name)) {
      const std::size_t index = name.empty() ? next_++ : static_cast<std::size_t>(std::stoi(std::string(name)));
      if (index >= arguments_.positional.size()) throw Problem("format: there are more fields than arguments");
      return arguments_.positional[index];
    }
    for (const auto& [known, value] : arguments_.named)
      if (known == name) return value;
    throw Problem(fmt::format("format: there is no argument '{}'", name));
  }

  Interpreter& interpreter_;
  const Arguments& arguments_;
  std::size_t next_ = 0;
};

} // namespace

Text format_percent(const Text& format, const Value& value, Budget& budget) {
  const std::string_view text = format.view();
  const bool many = value.is<SequencePtr>() && value.sequence().is_tuple();
  std::size_t next = 0;
  bool by_name = false;
  const auto next_value = [&]() -> Value {
    if (many ? next >= value.sequence().elements.size() : next > 0)
      throw Problem("'%': there are more conversions than values");
    ++next;
    return many ? value.sequence().elements[next - 1] : value;
  };
  Text out;
  std::size_t done = 0;
  for (std::size_t at = 0; (at = text.find('%', at)) != std::string_view::npos; done = at) {
    out.append(format, done, at);
    if (++at < text.size() && text[at] == '%') {
      out.append(format, at, at + 1);
      ++at;
      continue;
    }
    Value chosen;
    bool named = false;
    if (at < text.size() && text[at] == '(') {
      const std::size_t close = text.find(')', at);
      if (close == std::string_view::npos || !value.is<DictPtr>()) throw Problem("'%(name)' needs a dict");
      const Value* found = value.dict().find(text.substr(at + 1, close - at - 1));
      if (!found) throw Problem("'%(name)': the dict has no such key");
      chosen = *found;
      named = by_name = true;
      at = close + 1;
    }
    Style style;
    for (; at < text.size() && std::string_view("-+ 0#").find(text[at]) != std::string_view::npos; ++at) {
      if (text[at] == '-') style.align = '<';
      else if (text[at] == '0' && !style.align) style.align = '=';
      else if (text[at] == '+' || text[at] == ' ') style.sign = style.sign == '+' ? '+' : text[at];
      else if (text[at] == '#') style.prefix = true;
    }
    style.width = read_number(text, at);
    if (at < text.size() && text[at] == '.') style.precision = read_number(text, ++at);
    if (at >= text.size()) throw Problem("'%': the format ends in the middle of a conversion");
    style.type = text[at++];
    if (style.align == '=') {
      if (std::string_view("srac").find(style.type) != std::string_view::npos) style.align = '>';
      else style.fill = Text("0");
    }
    if (!named) chosen = next_value();
    budget.bytes(static_cast<std::uint64_t>(style.width) + 16);
    out.append(percent_conversion(chosen, style, budget));
  }
  if (many ? next < value.sequence().elements.size()
           : next == 0 && !by_name && !value.is<DictPtr>() && !value.is<SequencePtr>())
    throw Problem("'%': there are more values than conversions");
  return out.append(format, done, text.size());
}

Text format_braces(Interpreter& interpreter, const Text& format, const Arguments& arguments) {
  const std::string_view text = format.view();
  FieldReader fields(interpreter, arguments);
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t brace = std::min(text.find_first_of("{}", at), text.size());
    out.append(format, at, brace);
    if (brace >= text.size()) break;
    at = brace + 1;
    if (at < text.size() && text[at] == text[brace]) {
      out.append(format, brace, at++);
      continue;
    }
    const std::size_t close = text[brace] == '{' ? text.find_first_of("{}", at) : std::string_view::npos;
    if (close == std::string_view::npos || text[close] != '}') throw Problem("format: a brace stands alone");
    const std::string_view field = text.substr(at, close - at);
    const std::size_t colon = std::min(field.find(':'), field.size());
    const std::size_t mark = std::min(field.find('!'), colon);
    Value value = fields.read(field.substr(0, mark));
    if (mark < colon) {
      const std::string_view conversion = field.substr(mark + 1, colon - mark - 1);
      if (conversion != "r" && conversion != "s") throw Problem("format: a conversion is !r or !s");
      Text shown;
      if (conversion == "r") write_repr(shown, value, interpreter.budget());
      else shown = to_text(value, interpreter.budget());
      value = interpreter.text(std::move(shown));
    }
    const Text spec = colon < field.size() ? format.slice(at + colon + 1, close) : Text();
    const Text shown = format_value(value, spec, interpreter.budget());
    interpreter.budget().bytes(shown.size());
    out.append(shown);
    at = close + 1;
  }
  return out;
}

std::string format_time(const DateTime& time, std::string_view format) {
  static constexpr std::array<std::string_view, 12> months = {"January",   "February", "March",    "April",
                                                              "May",       "June",     "July",     "August",
                                                              "September", "October",  "November", "December"};
  static constexpr std::array<std::string_view, 7> days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                           "Thursday", "Friday", "Saturday"};
  static constexpr int before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const auto month = static_cast<std::size_t>(time.month - 1);
  const bool leap = (time.year % 4 == 0 && time.year % 100 != 0) || time.year % 400 == 0;
  const int year_day = before_month[month] + time.day + (leap && time.month > 2 ? 1 : 0);
  const int past = time.year - 1;
  const auto week_day = static_cast<std::size_t>((past * 365 + past / 4 - past / 100 + past / 400 + year_day) % 7);
  const int hour12 = time.hour % 12 == 0 ? 12 : time.hour % 12;
  const auto expand = [&](char code) -> std::string {
    switch (code) {
    case 'Y': return fmt::format("{}", time.year);
    case 'C': return fmt::format("{:02}", time.year / 100);
    case 'y': return fmt::format("{:02}", time.year % 100);
    case 'm': return fmt::format("{:02}", time.month);
    case 'd': return fmt::format("{:02}", time.day);
    case 'e': return fmt::format("{:2}", time.day);
    case 'H': return fmt::format("{:02}", time.hour);
    case 'I': return fmt::format("{:02}", hour12);
    case 'M': return fmt::format("{:02}", time.minute);
    case 'S': return fmt::format("{:02}", time.second);
    case 'f': return "000000";
    case 'j': return fmt::format("{:03}", year_day);
    case 'p': return time.hour < 12 ? "AM" : "PM";
    case 'B': return std::string(months[month]);
    case 'b':
    case 'h': return std::string(months[month].substr(0, 3));
    case 'A': return std::string(days[week_day]);
    case 'a': return std::string(days[week_day].substr(0, 3));
    case 'w': return fmt::format("{}", week_day);
    case 'u': return fmt::format("{}", week_day == 0 ? 7 : week_day);
    case 'Z':
    case 'z': return "";
    case 'n': return "\n";
    case 't': return "\t";
    case '%': return "%";
    default: return std::string("%") + code;
    }
  };
  constexpr std::pair<char, std::string_view> composed[] = {{'c', "%a %b %e %H:%M:%S %Y"},
                                                            {'x', "%m/%d/%y"},
                                                            {'X', "%H:%M:%S"},
                                                            {'D', "%m/%d/%y"},
                                                            {'F', "%Y-%m-%d"},
                                                            {'T', "%H:%M:%S"},
                                                            {'R', "%H:%M"},
                                                            {'r', "%I:%M:%S %p"}};
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      out += format[i];
      continue;
    }
    const char code = format[++i];
    const auto* known = std::ranges::find(composed, code, &std::pair<char, std::string_view>::first);
    if (known != std::end(composed)) {
      out += format_time(time, known->second);
    } else if (code == '-' && i + 1 < format.size()) { // without leading zeros
      std::string number = expand(format[++i]);
      while (number.size() > 1 && (number[0] == '0' || number[0] == ' ')) number.erase(0, 1);
      out += number;
    } else {
      out += expand(code);
    }
  }
  return out;
}

} // namespace kern::jinja
