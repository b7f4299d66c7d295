// Python's operators on values.
#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

namespace {

[[noreturn]] void fail_operands(std::string_view sign, const Value& a, const Value& b) {
  check_defined(a);
  check_defined(b);
  throw Problem(fmt::format("'{}' can't be used on {} and {}", sign, type_name(a), type_name(b)));
}

void check_overflow(bool overflow) {
  if (overflow) throw Problem("a number is too large: integers go up to 2^63 - 1");
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent, Budget& budget) {
  std::int64_t result = 1;
  if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  for (; exponent > 0; --exponent) {
    budget.step();
    check_overflow(__builtin_mul_overflow(result, base, &result));
  }
  return result;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  check_overflow(b == -1 && a == std::numeric_limits<std::int64_t>::min());
  const std::int64_t quotient = a / b;
  return quotient - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

Value integer_operation(std::string_view sign, std::int64_t a, std::int64_t b, Budget& budget) {
  std::int64_t result = 0;
  if (sign == "+" || sign == "-" || sign == "*") {
    check_overflow(sign == "+"   ? __builtin_add_overflow(a, b, &result)
                   : sign == "-" ? __builtin_sub_overflow(a, b, &result)
                                 : __builtin_mul_overflow(a, b, &result));
    return result;
  }
  if (sign == "**" && b >= 0) return integer_power(a, b, budget);
  if (b == 0 && sign != "**") throw Problem("division by zero");
  if (sign == "//") return floor_divide(a, b);
  if (sign == "%") return b == -1 ? std::int64_t{0} : a - floor_divide(a, b) * b;
  if (sign == "/") return static_cast<double>(a) / static_cast<double>(b);
  if (a == 0) throw Problem("division by zero");
  return std::pow(static_cast<double>(a), static_cast<double>(b));
}

Value float_operation(std::string_view sign, double a, double b) {
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "**") return std::pow(a, b);
  if (b == 0) throw Problem("division by zero");
  if (sign == "/") return a / b;
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (sign == "%") return rest;
  return std::floor((a - rest) / b + 0.5);
}

/// text * count, list * count
Value repeat(const Value& value, std::int64_t count, Budget& budget) {
  count = std::max<std::int64_t>(count, 0);
  const auto times = static_cast<std::uint64_t>(count);
  budget.step(times);
  if (value.is_text()) {
    if (value.text().empty()) return value;
    budget.step(times * std::min<std::uint64_t>(value.text().size(), 1 << 20) / 64);
    Text text;
    for (std::uint64_t i = 0; i < times; ++i) {
      budget.bytes(value.text().size());
      text.append(value.text());
    }
    return text;
  }
  std::vector<Value> elements;
  for (std::uint64_t i = 0; i < times; ++i) {
    budget.bytes(value.sequence().elements.size() * sizeof(Value));
    elements.insert(elements.end(), value.sequence().elements.begin(), value.sequence().elements.end());
  }
  return make_sequence(std::move(elements), budget, value.sequence().kind);
}

bool is_list_or_tuple(const Value& value) {
  return value.is<SequencePtr>() && (value.sequence().is_tuple() || value.sequence().kind == Sequence::Kind::list);
}

/// Positions first, first + step... as Python's slices choose them.
std::vector<std::size_t> slice_positions(const Value& first, const Value& last, const Value& step, std::size_t size) {
  const auto bound = [](const Value& value, std::string_view what) -> std::optional<std::int64_t> {
    if (value.is_none()) return std::nullopt;
    if (const auto number = value.integer()) return number;
    check_defined(value);
    throw Problem(fmt::format("a slice's {} is {}, expected an integer", what, type_name(value)));
  };
  const auto length = static_cast<std::int64_t>(size);
  const std::int64_t by = bound(step, "step").value_or(1);
  if (by == 0) throw Problem("a slice's step is zero");
  const std::int64_t low = by > 0 ? 0 : -1;
  const std::int64_t high = by > 0 ? length : length - 1;
  const auto place = [&](std::optional<std::int64_t> value, std::int64_t fallback) {
    if (!value) return fallback;
    return std::clamp(*value < 0 ? std::max(*value, -length - 1) + length : std::min(*value, length), low, high);
  };
  const std::int64_t begin = place(bound(first, "start"), by > 0 ? low : high);
  const std::int64_t end = place(bound(last, "end"), by > 0 ? high : low);
  const std::int64_t stride = std::clamp(by, -length - 1, length + 1);
  std::vector<std::size_t> positions;
  for (std::int64_t i = begin; stride > 0 ? i < end : i > end; i += stride)
    positions.push_back(static_cast<std::size_t>(i));
  return positions;
}

} // namespace

void fail_undefined(const Value& value) {
  const auto& problem = value.get_if<Undefined>()->problem;
  throw Problem(problem ? *problem : "an undefined value is used");
}

void check_defined(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
}

Value negate(const Value& value) {
  if (const auto number = value.integer()) {
    check_overflow(*number == std::numeric_limits<std::int64_t>::min());
    return -*number;
  }
  if (const auto number = value.number()) return -*number;
  check_defined(value);
  throw Problem(fmt::format("a {} has no negative", type_name(value)));
}

Value apply_operator(std::string_view sign, const Value& a, const Value& b, Budget& budget) {
  if (a.integer() && b.integer()) return integer_operation(sign, *a.integer(), *b.integer(), budget);
  if (a.number() && b.number()) return float_operation(sign, *a.number(), *b.number());
  if (sign == "+" && a.is_text() && b.is_text()) {
    budget.bytes(a.text().size() + b.text().size());
    Text text = a.text();
    return text.append(b.text());
  }
  if (sign == "+" && is_list_or_tuple(a) && is_list_or_tuple(b) && a.sequence().is_tuple() == b.sequence().is_tuple()) {
    std::vector<Value> elements = a.sequence().elements;
    elements.insert(elements.end(), b.sequence().elements.begin(), b.sequence().elements.end());
    return make_sequence(std::move(elements), budget,
                         a.sequence().is_tuple() ? Sequence::Kind::tuple : Sequence::Kind::list);
  }
  if (sign == "*") {
    if ((a.is_text() || is_list_or_tuple(a)) && b.integer()) return repeat(a, *b.integer(), budget);
    if ((b.is_text() || is_list_or_tuple(b)) && a.integer()) return repeat(b, *a.integer(), budget);
  }
  if (sign == "%" && a.is_text()) {
    check_defined(b);
    return format_percent(a.text(), b, budget);
  }
  fail_operands(sign, a, b);
}

bool contains(const Value& container, const Value& element, Budget& budget) {
  if (container.is_text()) {
    check_defined(element);
    if (!element.is_text())
      throw Problem(fmt::format("'in' looks for a {} in a text, expected a text", type_name(element)));
    budget.step(container.text().size() / 16);
    return container.text().view().find(element.text().view()) != std::string_view::npos;
  }
  if (container.is<DictPtr>()) return container.dict().find(element, budget) != nullptr;
  if (container.is_undefined()) return false;
  if (!container.is<SequencePtr>())
    throw Problem(fmt::format("'in' looks into {}, expected a list, dict or text", type_name(container)));
  const Sequence& sequence = container.sequence();
  return std::any_of(sequence.elements.begin() + static_cast<std::ptrdiff_t>(sequence.taken), sequence.elements.end(),
                     [&](const Value& other) { return equal(other, element, budget); });
}

std::optional<std::size_t> position_of(std::int64_t index, std::size_t size) {
  if (index < 0) index += static_cast<std::int64_t>(size);
  if (index < 0 || index >= static_cast<std::int64_t>(size)) return std::nullopt;
  return static_cast<std::size_t>(index);
}

Value slice(const Value& object, const Value& first, const Value& last, const Value& step, Budget& budget) {
  check_defined(object);
  if (object.is_text()) {
    const Text& text = object.text();
    budget.bytes(text.size() * sizeof(std::size_t));
    const std::vector<std::size_t> offsets = character_offsets(text.view());
    Text out;
    for (const std::size_t position : slice_positions(first, last, step, offsets.size() - 1))
      out.append(text, offsets[position], offsets[position + 1]);
    return out;
  }
  if (!is_list_or_tuple(object) && !(object.is<SequencePtr>() && object.sequence().kind == Sequence::Kind::range))
    return undefined(fmt::format("a {} can't be sliced", type_name(object)));
  std::vector<Value> elements;
  for (const std::size_t position : slice_positions(first, last, step, object.sequence().elements.size()))
    elements.push_back(object.sequence().elements[position]);
  return make_sequence(std::move(elements), budget, object.sequence().kind);
}

} // namespace kern::jinja
