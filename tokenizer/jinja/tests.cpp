// Tests: what stands behind `is`.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

namespace {

template <bool (*holds)(const Value&)> bool plain(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound none("test", arguments, {});
  return holds(value);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.is<bool>(); }
bool is_true(const Value& value) { return value.is<bool>() && truth(value); }
bool is_false(const Value& value) { return value.is<bool>() && !truth(value); }
bool is_integer(const Value& value) { return value.is<std::int64_t>(); }
bool is_float(const Value& value) { return value.is<double>(); }
bool is_number(const Value& value) { return value.number().has_value(); }
bool is_string(const Value& value) { return value.is_text(); }
bool is_mapping(const Value& value) { return value.is<DictPtr>(); }
bool is_callable(const Value& value) { return value.is<ObjectPtr>() && value.object()->callable(); }
bool is_escaped(const Value&) { return false; }

/// What has a length and elements; Jinja's undefined values claim to.
bool is_sequence(const Value& value) {
  if (value.is<SequencePtr>()) {
    const Sequence::Kind kind = value.sequence().kind;
    return value.sequence().is_tuple() || kind == Sequence::Kind::list || kind == Sequence::Kind::range;
  }
  return value.is_undefined() || value.is_text() || value.is<DictPtr>();
}

std::int64_t remainder(Interpreter& interpreter, const Value& value, std::int64_t divisor) {
  const Value rest = apply_operator("%", value.is_text() ? Value(None{}) : value, divisor, interpreter.budget());
  const auto number = rest.number().value_or(1);
  return number == 0 ? 0 : 1;
}

bool is_odd(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("odd", arguments, {});
  const Value rest = apply_operator("%", value.is_text() ? Value(None{}) : value, 2, interpreter.budget());
  return rest.number() == 1.0;
}

bool is_even(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("even", arguments, {});
  return remainder(interpreter, value, 2) == 0;
}

bool is_divisible(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("divisibleby", arguments, {"num"}, 1);
  return remainder(interpreter, value, bound.integer(0, 1)) == 0;
}

bool is_lower(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  Arguments none;
  const Bound bound("lower", arguments, {});
  return truth(call_text_method(interpreter, interpreter.to_text(value), "islower", none));
}

bool is_upper(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  Arguments none;
  const Bound bound("upper", arguments, {});
  return truth(call_text_method(interpreter, interpreter.to_text(value), "isupper", none));
}

bool is_iterable(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound none("iterable", arguments, {});
  return iterable(value);
}

bool is_in(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("in", arguments, {"seq"}, 1);
  return contains(*bound.get(0), value, interpreter.budget());
}

bool is_same(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("sameas", arguments, {"other"}, 1);
  const Value& other = *bound.get(0);
  if (value.is<SequencePtr>() && other.is<SequencePtr>()) return &value.sequence() == &other.sequence();
  if (value.is<DictPtr>() && other.is<DictPtr>()) return &value.dict() == &other.dict();
  return type_name(value) == type_name(other) && equal(value, other, interpreter.budget());
}

bool is_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("filter", arguments, {});
  return find_filter(interpreter.to_text(value).view()) != nullptr;
}

bool is_test(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("test", arguments, {});
  return find_test(interpreter.to_text(value).view()) != nullptr;
}

bool is_equal(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("eq", arguments, {"other"}, 1);
  return equal(value, *bound.get(0), interpreter.budget());
}

bool is_unequal(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  return !is_equal(interpreter, value, arguments);
}

std::partial_ordering order(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("comparison", arguments, {"other"}, 1);
  return compare(value, *bound.get(0), interpreter.budget());
}

bool is_greater(Interpreter& i, const Value& value, Arguments& arguments) { return order(i, value, arguments) > 0; }
bool is_at_least(Interpreter& i, const Value& value, Arguments& arguments) { return order(i, value, arguments) >= 0; }
bool is_less(Interpreter& i, const Value& value, Arguments& arguments) { return order(i, value, arguments) < 0; }
bool is_at_most(Interpreter& i, const Value& value, Arguments& arguments) { return order(i, value, arguments) <= 0; }

} // namespace

Test find_test(std::string_view name) {
  static const std::map<std::string_view, Test> tests = {
      {"boolean", plain<is_boolean>},
      {"callable", plain<is_callable>},
      {"defined", plain<is_defined>},
      {"divisibleby", is_divisible},
      {"eq", is_equal},
      {"==", is_equal},
      {"equalto", is_equal},
      {"escaped", plain<is_escaped>},
      {"even", is_even},
      {"false", plain<is_false>},
      {"filter", is_filter},
      {"float", plain<is_float>},
      {"ge", is_at_least},
      {">=", is_at_least},
      {"gt", is_greater},
      {">", is_greater},
      {"greaterthan", is_greater},
      {"in", is_in},
      {"integer", plain<is_integer>},
      {"iterable", is_iterable},
      {"le", is_at_most},
      {"<=", is_at_most},
      {"lower", is_lower},
      {"lt", is_less},
      {"<", is_less},
      {"lessthan", is_less},
      {"mapping", plain<is_mapping>},
      {"ne", is_unequal},
      {"!=", is_unequal},
      {"none", plain<is_none>},
      {"number", plain<is_number>},
      {"odd", is_odd},
      {"sameas", is_same},
      {"sequence", plain<is_sequence>},
      {"string", plain<is_string>},
      {"test", is_test},
      {"true", plain<is_true>},
      {"undefined", plain<is_undefined>},
      {"upper", is_upper},
  };
  const auto place = tests.find(name);
  return place == tests.end() ? nullptr : place->second;
}

bool apply_test(std::string_view name, Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Test test = find_test(name);
  if (!test) throw Problem(fmt::format("there is no test '{}'", name));
  interpreter.budget().step();
  return test(interpreter, value, arguments);
}

} // namespace kern::jinja
