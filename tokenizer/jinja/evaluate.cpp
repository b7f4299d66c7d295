// Expressions.
#include <algorithm>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/level.h"

namespace kern::jinja {

Value Interpreter::find_variable(const std::string& name) {
  for (const Scope* scope = scope_.get(); scope; scope = scope->parent.get()) {
    budget_.step();
    if (const auto place = scope->variables.find(name); place != scope->variables.end()) return place->second;
  }
  if (const Value* given = variables_.find(name)) return *given;
  const Value function = find_function(name);
  return function.is_undefined() ? undefined(fmt::format("'{}' is undefined", name)) : function;
}

Value Interpreter::text(Text text) {
  budget_.bytes(text.size() + sizeof(Text));
  return text;
}

Text Interpreter::to_text(const Value& value) {
  Text text = jinja::to_text(value, budget_);
  budget_.bytes(text.size());
  return text;
}

Value Interpreter::attribute(const Value& object, const std::string& name) {
  check_defined(object);
  if (name.starts_with("__"))
    return undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe", name, type_name(object)));
  if (object.is<ObjectPtr>()) {
    if (auto value = object.object()->attribute(name, *this)) return *value;
  } else if (auto method = find_method(object, name)) {
    return *method;
  }
  if (object.is<DictPtr>())
    if (const Value* value = object.dict().find(name)) return *value;
  return undefined(fmt::format("'{}{}' has no attribute '{}'", type_name(object),
                               object.is_none() || object.is<ObjectPtr>() ? "" : " object", name));
}

Value Interpreter::item(const Value& object, const Value& key) {
  check_defined(object);
  if (object.is<DictPtr>()) {
    if (const Value* value = object.dict().find(key, budget_)) return *value;
  } else if (const auto index = key.integer()) {
    if (object.is_text()) {
      budget_.step(object.text().size() / 16);
      const std::vector<std::size_t> offsets = character_offsets(object.text().view());
      if (const auto position = position_of(*index, offsets.size() - 1))
        return object.text().slice(offsets[*position], offsets[*position + 1]);
    }
    if (object.is<SequencePtr>() && object.sequence().kind != Sequence::Kind::generator)
      if (const auto position = position_of(*index, object.sequence().elements.size()))
        return object.sequence().elements[*position];
  }
  if (key.is_text()) {
    const std::string name(key.text().view());
    if (object.is<DictPtr>()) {
      if (auto method = find_method(object, name)) return *method;
      return undefined(fmt::format("'dict object' has no attribute '{}'", name));
    }
    return attribute(object, name);
  }
  return undefined(fmt::format("{} has no element {}", type_name(object),
                               key.is_undefined() ? "" : jinja::to_text(key, budget_).view()));
}

Value Interpreter::call(const Value& callee, Arguments& arguments) {
  check_defined(callee);
  if (!callee.is<ObjectPtr>() || !callee.object()->callable())
    throw Problem(fmt::format("a {} can't be called", type_name(callee)));
  const Level level(*this);
  budget_.step();
  return callee.object()->call(arguments, *this);
}

Value Interpreter::evaluate(const Expression& expression) {
  const Level level(*this);
  budget_.step();
  line_ = expression.line;
  return evaluate_inner(expression);
}

Value Interpreter::evaluate_inner(const Expression& expression) {
  using Kind = Expression::Kind;
  const auto operand = [&](std::size_t i) { return evaluate(*expression.operands[i]); };
  switch (expression.kind) {
  case Kind::constant: return expression.value;
  case Kind::name: return find_variable(expression.name);
  case Kind::list: return list(evaluate_all(expression.operands));
  case Kind::tuple: return list(evaluate_all(expression.operands), Sequence::Kind::tuple);
  case Kind::dict: {
    auto dict = std::make_shared<Dict>();
    for (std::size_t i = 0; i + 1 < expression.operands.size(); i += 2) dict->set(operand(i), operand(i + 1), budget_);
    return DictPtr(std::move(dict));
  }
  case Kind::logical_not: return !truth(operand(0));
  case Kind::negate: return negate(operand(0));
  case Kind::plus: return negate(negate(operand(0)));
  case Kind::binary: return evaluate_binary(expression);
  case Kind::logical_and: {
    Value left = operand(0);
    return truth(left) ? operand(1) : left;
  }
  case Kind::logical_or: {
    Value left = operand(0);
    return truth(left) ? left : operand(1);
  }
  case Kind::concat: {
    Text joined;
    for (const Value& part : evaluate_all(expression.operands)) joined.append(to_text(part));
    return text(std::move(joined));
  }
  case Kind::compare: return evaluate_compare(expression);
  case Kind::condition:
    if (truth(operand(1))) return operand(0);
    return expression.operands.size() > 2 ? operand(2) : undefined("the inline if is false and has no else");
  case Kind::attribute: {
    const Value object = operand(0);
    line_ = expression.line;
    return attribute(object, expression.name);
  }
  case Kind::item: {
    const Value object = operand(0);
    const Value key = operand(1);
    line_ = expression.line;
    return item(object, key);
  }
  case Kind::slice: return evaluate_slice(expression);
  case Kind::call: return evaluate_call(expression);
  case Kind::filter: return evaluate_filter(expression, nullptr);
  case Kind::test: {
    const Value value = operand(0);
    Arguments arguments = evaluate_arguments(expression);
    line_ = expression.line;
    return apply_test(expression.name, *this, value, arguments);
  }
  }
  return {};
}

std::vector<Value> Interpreter::evaluate_all(std::span<const ExpressionPtr> expressions) {
  std::vector<Value> values;
  for (const ExpressionPtr& expression : expressions) values.push_back(evaluate(*expression));
  return values;
}

Value Interpreter::evaluate_binary(const Expression& expression) {
  const Value left = evaluate(*expression.operands[0]);
  const Value right = evaluate(*expression.operands[1]);
  line_ = expression.line;
  return apply_operator(expression.name, left, right, budget_);
}

Value Interpreter::evaluate_compare(const Expression& expression) {
  Value left = evaluate(*expression.operands[0]);
  for (std::size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.operands[i + 1]);
    line_ = expression.line;
    const std::string& sign = expression.operators[i];
    bool holds = false;
    if (sign == "==") holds = equal(left, right, budget_);
    else if (sign == "!=") holds = !equal(left, right, budget_);
    else if (sign == "in") holds = contains(right, left, budget_);
    else if (sign == "not in") holds = !contains(right, left, budget_);
    else {
      const std::partial_ordering order = compare(left, right, budget_);
      holds = sign == "<" ? order < 0 : sign == "<=" ? order <= 0 : sign == ">" ? order > 0 : order >= 0;
    }
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_slice(const Expression& expression) {
  const Value object = evaluate(*expression.operands[0]);
  Value bounds[3] = {None{}, None{}, None{}};
  for (std::size_t i = 0; i < 3; ++i)
    if (const ExpressionPtr& bound = expression.operands[i + 1]) bounds[i] = evaluate(*bound);
  line_ = expression.line;
  return slice(object, bounds[0], bounds[1], bounds[2], budget_);
}

Arguments Interpreter::evaluate_arguments(const Expression& expression) {
  Arguments arguments;
  for (const Argument& argument : expression.arguments) {
    Value value = evaluate(*argument.value);
    switch (argument.kind) {
    case Argument::Kind::positional: arguments.positional.push_back(std::move(value)); break;
    case Argument::Kind::named: arguments.named.emplace_back(argument.name, std::move(value)); break;
    case Argument::Kind::spread: {
      std::vector<Value> elements = iterate(value, budget_);
      std::ranges::move(elements, std::back_inserter(arguments.positional));
      break;
    }
    case Argument::Kind::spread_named:
      if (!value.is<DictPtr>()) throw Problem(fmt::format("'**' needs a dict, found {}", type_name(value)));
      for (const auto& [key, element] : value.dict().entries()) {
        if (!key.is_text()) throw Problem("'**' needs a dict whose keys are text");
        arguments.named.emplace_back(key.text().view(), element);
      }
    }
  }
  return arguments;
}

Value Interpreter::evaluate_call(const Expression& expression, const Value* caller) {
  const Value callee = evaluate(*expression.operands[0]);
  Arguments arguments = evaluate_arguments(expression);
  if (caller) arguments.named.emplace_back("caller", *caller);
  line_ = expression.line;
  return call(callee, arguments);
}

/// `block`: what stands in a filter block, the value of the innermost filter.
Value Interpreter::evaluate_filter(const Expression& expression, const Value* block) {
  const Level level(*this);
  const ExpressionPtr& operand = expression.operands[0];
  Value value;
  if (!operand) value = *block;
  else if (block) value = evaluate_filter(*operand, block);
  else value = evaluate(*operand);
  Arguments arguments = evaluate_arguments(expression);
  line_ = expression.line;
  return apply_filter(expression.name, *this, value, arguments);
}

Bound::Bound(std::string_view function, Arguments& arguments, std::initializer_list<std::string_view> names,
             std::size_t required)
    : function_(function), names_(names), values_(names.size()) {
  if (arguments.positional.size() > names_.size())
    throw Problem(fmt::format("{}: found {} arguments, expected at most {}", function, arguments.positional.size(),
                              names_.size()));
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = std::move(arguments.positional[i]);
  for (auto& [name, value] : arguments.named) {
    const auto place = std::ranges::find(names_, name);
    if (place == names_.end())
      throw Problem(fmt::format("{}: found an argument '{}', which it doesn't have", function, name));
    auto& slot = values_[static_cast<std::size_t>(place - names_.begin())];
    if (slot) throw Problem(fmt::format("{}: the argument '{}' is given twice", function, name));
    slot = std::move(value);
  }
  for (std::size_t i = 0; i < required; ++i)
    if (!values_[i]) throw Problem(fmt::format("{}: the argument '{}' is missing", function, names_[i]));
}

std::int64_t Bound::integer(std::size_t i, std::int64_t fallback) const {
  if (!values_[i]) return fallback;
  if (const auto number = values_[i]->integer()) return *number;
  check_defined(*values_[i]);
  throw Problem(fmt::format("{}: '{}' is {}, expected an integer", function_, names_[i], type_name(*values_[i])));
}

const Text* Bound::text(std::size_t i) const {
  if (!values_[i] || values_[i]->is_none()) return nullptr;
  if (values_[i]->is_text()) return &values_[i]->text();
  check_defined(*values_[i]);
  throw Problem(fmt::format("{}: '{}' is {}, expected a text", function_, names_[i], type_name(*values_[i])));
}

} // namespace kern::jinja
