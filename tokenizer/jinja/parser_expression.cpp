// Expressions, in Jinja's precedence: condition, or, and, not, comparison, sum, ~, product, power, sign, then what
// stands behind a value: calls, subscripts, filters, tests.
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include "tokenizer/jinja/parser.h"

namespace kern::jinja {

namespace {

constexpr int deepest_nesting = 100;
constexpr int deepest_tree = 200;

} // namespace

Parser::Nesting::Nesting(Parser& parser) : parser_(parser) {
  if (parser_.nesting_ >= deepest_nesting) parser_.fail("the template is nested too deeply");
  ++parser_.nesting_;
}

ExpressionPtr Parser::make(Expression::Kind kind) const {
  auto expression = std::make_unique<Expression>();
  expression->kind = kind;
  expression->line = word().line;
  return expression;
}

void Parser::adopt(Expression& parent, ExpressionPtr child) const {
  if (child) parent.depth = std::max(parent.depth, child->depth + 1);
  if (parent.depth > deepest_tree) fail("an expression is nested too deeply");
  parent.operands.push_back(std::move(child));
}

void Parser::adopt(Expression& parent, std::vector<Argument> arguments) const {
  for (const Argument& argument : arguments) parent.depth = std::max(parent.depth, argument.value->depth + 1);
  if (parent.depth > deepest_tree) fail("an expression is nested too deeply");
  parent.arguments = std::move(arguments);
}

ExpressionPtr Parser::parse_expression(bool with_condition) {
  const Nesting nesting(*this);
  ExpressionPtr value = parse_or();
  while (with_condition && at_name("if")) {
    ExpressionPtr condition = make(Expression::Kind::condition);
    take();
    adopt(*condition, std::move(value));
    adopt(*condition, parse_or());
    if (accept_name("else")) adopt(*condition, parse_expression());
    value = std::move(condition);
  }
  return value;
}

/// One expression, or several with commas between them, which are a tuple.
ExpressionPtr Parser::parse_tuple(bool with_condition, bool in_parentheses) {
  const auto at_tuple_end = [&] {
    return word().kind == Word::Kind::block_end || word().kind == Word::Kind::print_end || at_symbol(")") ||
           at_name("recursive");
  };
  ExpressionPtr tuple = make(Expression::Kind::tuple);
  if (in_parentheses && at_symbol(")")) return tuple;
  if (at_tuple_end()) fail_expected("an expression");
  ExpressionPtr first = parse_expression(with_condition);
  if (!at_symbol(",")) return first;
  adopt(*tuple, std::move(first));
  while (accept_symbol(",") && !at_tuple_end()) adopt(*tuple, parse_expression(with_condition));
  return tuple;
}

ExpressionPtr Parser::parse_or() {
  ExpressionPtr value = parse_and();
  while (at_name("or")) {
    ExpressionPtr both = make(Expression::Kind::logical_or);
    take();
    adopt(*both, std::move(value));
    adopt(*both, parse_and());
    value = std::move(both);
  }
  return value;
}

ExpressionPtr Parser::parse_and() {
  ExpressionPtr value = parse_not();
  while (at_name("and")) {
    ExpressionPtr both = make(Expression::Kind::logical_and);
    take();
    adopt(*both, std::move(value));
    adopt(*both, parse_not());
    value = std::move(both);
  }
  return value;
}

ExpressionPtr Parser::parse_not() {
  if (!at_name("not")) return parse_comparison();
  // Two in a row give a truth value, as one does; so any number is one or two.
  ExpressionPtr negation = make(Expression::Kind::logical_not);
  bool even = true;
  while (accept_name("not")) even = !even;
  adopt(*negation, parse_comparison());
  if (!even) return negation;
  ExpressionPtr outer = make(Expression::Kind::logical_not);
  adopt(*outer, std::move(negation));
  return outer;
}

ExpressionPtr Parser::parse_comparison() {
  ExpressionPtr first = parse_sum();
  ExpressionPtr comparison;
  for (;;) {
    std::string sign;
    const int line = word().line;
    if (word().kind == Word::Kind::symbol)
      for (const std::string_view known : {"==", "!=", "<=", ">=", "<", ">"})
        if (word().text == known) sign = known;
    if (at_name("in")) sign = "in";
    if (at_name("not") && next_word().kind == Word::Kind::name && next_word().text == "in") {
      take();
      sign = "not in";
    }
    if (sign.empty()) break;
    take();
    if (!comparison) {
      comparison = make(Expression::Kind::compare);
      comparison->line = line;
      adopt(*comparison, std::move(first));
    }
    comparison->operators.push_back(sign);
    adopt(*comparison, parse_sum());
  }
  return comparison ? std::move(comparison) : std::move(first);
}

ExpressionPtr Parser::parse_sum() {
  ExpressionPtr value = parse_concat();
  while (at_symbol("+") || at_symbol("-")) {
    ExpressionPtr sum = make(Expression::Kind::binary);
    sum->name = take().text;
    adopt(*sum, std::move(value));
    adopt(*sum, parse_concat());
    value = std::move(sum);
  }
  return value;
}

ExpressionPtr Parser::parse_concat() {
  ExpressionPtr first = parse_product();
  if (!at_symbol("~")) return first;
  ExpressionPtr all = make(Expression::Kind::concat);
  adopt(*all, std::move(first));
  while (accept_symbol("~")) adopt(*all, parse_product());
  return all;
}

ExpressionPtr Parser::parse_product() {
  ExpressionPtr value = parse_power();
  while (at_symbol("*") || at_symbol("/") || at_symbol("//") || at_symbol("%")) {
    ExpressionPtr product = make(Expression::Kind::binary);
    product->name = take().text;
    adopt(*product, std::move(value));
    adopt(*product, parse_power());
    value = std::move(product);
  }
  return value;
}

ExpressionPtr Parser::parse_power() {
  ExpressionPtr value = parse_unary();
  while (at_symbol("**")) { // from the left in Jinja, unlike Python
    ExpressionPtr power = make(Expression::Kind::binary);
    power->name = take().text;
    adopt(*power, std::move(value));
    adopt(*power, parse_unary());
    value = std::move(power);
  }
  return value;
}

ExpressionPtr Parser::parse_unary(bool with_filters) {
  const Nesting nesting(*this);
  ExpressionPtr value;
  if (at_symbol("-") || at_symbol("+")) {
    value = make(at_symbol("-") ? Expression::Kind::negate : Expression::Kind::plus);
    take();
    adopt(*value, parse_unary(false));
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filters ? parse_filters(std::move(value)) : std::move(value);
}

ExpressionPtr Parser::parse_primary() {
  if (word().kind == Word::Kind::name) {
    const std::string& name = word().text;
    ExpressionPtr value = make(Expression::Kind::constant);
    if (name == "true" || name == "True") value->value = true;
    else if (name == "false" || name == "False") value->value = false;
    else if (name == "none" || name == "None") value->value = None{};
    else {
      value->kind = Expression::Kind::name;
      value->name = name;
      for (MacroDefinition* macro : macros_) {
        macro->uses_caller = macro->uses_caller || name == "caller";
        macro->uses_varargs = macro->uses_varargs || name == "varargs";
        macro->uses_kwargs = macro->uses_kwargs || name == "kwargs";
      }
    }
    take();
    return value;
  }
  if (accept_symbol("(")) {
    ExpressionPtr value = parse_tuple(true, true);
    expect_symbol(")");
    return value;
  }
  if (at_symbol("[")) return parse_list();
  if (at_symbol("{")) return parse_dict();
  return parse_literal();
}

ExpressionPtr Parser::parse_literal() {
  ExpressionPtr value = make(Expression::Kind::constant);
  if (word().kind == Word::Kind::text) {
    std::string text;
    while (word().kind == Word::Kind::text) text += take().text; // neighbours are one text
    value->value = make_text(text);
    return value;
  }
  if (word().kind == Word::Kind::integer) {
    std::string_view digits = word().text;
    int base = 10;
    if (digits.size() > 1 && digits[0] == '0' && (digits[1] < '0' || digits[1] > '9')) {
      base = (digits[1] | 0x20) == 'x' ? 16 : (digits[1] | 0x20) == 'o' ? 8 : 2;
      digits.remove_prefix(2);
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    if (error != std::errc() || end != digits.data() + digits.size())
      fail(fmt::format("found '{}', expected an integer below 2^63", word().text));
    value->value = number;
    take();
    return value;
  }
  if (word().kind == Word::Kind::floating) {
    value->value = std::strtod(word().text.c_str(), nullptr);
    take();
    return value;
  }
  fail_expected("an expression");
}

ExpressionPtr Parser::parse_list() {
  ExpressionPtr list = make(Expression::Kind::list);
  expect_symbol("[");
  while (!at_symbol("]")) {
    if (!list->operands.empty()) expect_symbol(",");
    if (at_symbol("]")) break;
    adopt(*list, parse_expression());
  }
  take();
  return list;
}

ExpressionPtr Parser::parse_dict() {
  ExpressionPtr dict = make(Expression::Kind::dict);
  expect_symbol("{");
  while (!at_symbol("}")) {
    if (!dict->operands.empty()) expect_symbol(",");
    if (at_symbol("}")) break;
    adopt(*dict, parse_expression());
    expect_symbol(":");
    adopt(*dict, parse_expression());
  }
  take();
  return dict;
}

ExpressionPtr Parser::parse_postfix(ExpressionPtr value) {
  for (;;) {
    if (at_symbol(".") || at_symbol("[")) value = parse_subscript(std::move(value));
    else if (at_symbol("(")) value = parse_call(std::move(value));
    else return value;
  }
}

ExpressionPtr Parser::parse_filters(ExpressionPtr value) {
  for (;;) {
    if (accept_symbol("|")) value = parse_filter(std::move(value));
    else if (value && at_name("is")) value = parse_test(std::move(value));
    else if (value && at_symbol("(")) value = parse_call(std::move(value));
    else return value;
  }
}

std::string Parser::parse_dotted_name(std::string_view what) {
  std::string name = expect_name(what);
  while (accept_symbol(".")) name += "." + expect_name(what);
  return name;
}

/// `value` is null at the start of a filter block.
ExpressionPtr Parser::parse_filter(ExpressionPtr value) {
  ExpressionPtr filter = make(Expression::Kind::filter);
  filter->name = parse_dotted_name("the name of a filter");
  adopt(*filter, std::move(value));
  if (at_symbol("(")) adopt(*filter, parse_arguments());
  return filter;
}

ExpressionPtr Parser::parse_test(ExpressionPtr value) {
  ExpressionPtr test = make(Expression::Kind::test);
  take();
  const bool negated = accept_name("not");
  test->name = parse_dotted_name("the name of a test");
  adopt(*test, std::move(value));
  const bool argument_follows = word().kind == Word::Kind::name || word().kind == Word::Kind::text ||
                                word().kind == Word::Kind::integer || word().kind == Word::Kind::floating ||
                                at_symbol("[") || at_symbol("{");
  if (at_symbol("(")) {
    adopt(*test, parse_arguments());
  } else if (argument_follows && !at_name("else") && !at_name("or") && !at_name("and")) {
    if (at_name("is")) fail("tests can't be chained: found a second 'is'");
    std::vector<Argument> arguments(1);
    arguments[0].value = parse_postfix(parse_primary());
    adopt(*test, std::move(arguments));
  }
  if (!negated) return test;
  ExpressionPtr negation = make(Expression::Kind::logical_not);
  adopt(*negation, std::move(test));
  return negation;
}

ExpressionPtr Parser::parse_call(ExpressionPtr callee) {
  ExpressionPtr call = make(Expression::Kind::call);
  adopt(*call, std::move(callee));
  adopt(*call, parse_arguments());
  return call;
}

std::vector<Argument> Parser::parse_arguments() {
  std::vector<Argument> arguments;
  expect_symbol("(");
  while (!at_symbol(")")) {
    if (!arguments.empty()) expect_symbol(",");
    if (at_symbol(")")) break;
    Argument argument;
    if (accept_symbol("**")) argument.kind = Argument::Kind::spread_named;
    else if (accept_symbol("*")) argument.kind = Argument::Kind::spread;
    else if (word().kind == Word::Kind::name && next_word().kind == Word::Kind::symbol && next_word().text == "=") {
      argument.kind = Argument::Kind::named;
      argument.name = take().text;
      take();
    } else if (!arguments.empty() && (arguments.back().kind == Argument::Kind::named ||
                                      arguments.back().kind == Argument::Kind::spread_named)) {
      fail("an argument without a name follows one with a name");
    }
    argument.value = parse_expression();
    arguments.push_back(std::move(argument));
  }
  take();
  return arguments;
}

ExpressionPtr Parser::parse_subscript(ExpressionPtr object) {
  ExpressionPtr item = make(Expression::Kind::item);
  if (accept_symbol(".")) {
    if (word().kind == Word::Kind::integer) {
      adopt(*item, std::move(object));
      adopt(*item, parse_literal());
      return item;
    }
    item->kind = Expression::Kind::attribute;
    item->name = expect_name("the name of an attribute");
    adopt(*item, std::move(object));
    return item;
  }
  expect_symbol("[");
  adopt(*item, std::move(object));
  std::vector<ExpressionPtr> bounds;
  bool slices = false;
  ExpressionPtr part;
  for (;;) {
    if (accept_symbol(":")) {
      slices = true;
      bounds.push_back(std::move(part));
      if (bounds.size() > 2) fail_expected("']'");
    } else if (at_symbol("]")) {
      take();
      break;
    } else {
      if (part) fail_expected(at_symbol(",") ? "one subscript" : "']'");
      part = parse_expression();
    }
  }
  bounds.push_back(std::move(part));
  if (!slices) {
    if (!bounds[0]) fail("a subscript is empty");
    adopt(*item, std::move(bounds[0]));
    return item;
  }
  item->kind = Expression::Kind::slice;
  bounds.resize(3);
  for (ExpressionPtr& bound : bounds) adopt(*item, std::move(bound));
  return item;
}

} // namespace kern::jinja
