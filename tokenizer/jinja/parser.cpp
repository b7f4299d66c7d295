// Statements.
#include "tokenizer/jinja/parser.h"

#include <algorithm>

#include <fmt/format.h>

namespace kern::jinja {

Body parse_template(std::string_view source) { return Parser(split_template(source)).parse(); }

Body Parser::parse() { return parse_body({}); }

Word Parser::take() {
  Word taken = word();
  if (position_ + 1 < words_.size()) ++position_;
  return taken;
}

bool Parser::at_symbol(std::string_view symbol) const {
  return word().kind == Word::Kind::symbol && word().text == symbol;
}

bool Parser::at_name(std::string_view name) const { return word().kind == Word::Kind::name && word().text == name; }

bool Parser::accept_symbol(std::string_view symbol) {
  const bool fits = at_symbol(symbol);
  if (fits) take();
  return fits;
}

bool Parser::accept_name(std::string_view name) {
  const bool fits = at_name(name);
  if (fits) take();
  return fits;
}

void Parser::expect_symbol(std::string_view symbol) {
  if (!accept_symbol(symbol)) fail_expected(fmt::format("'{}'", symbol));
}

std::string Parser::expect_name(std::string_view what) {
  if (word().kind != Word::Kind::name) fail_expected(what);
  return take().text;
}

void Parser::fail(std::string problem) const { throw TemplateError(word().line, std::move(problem)); }

void Parser::fail_expected(std::string_view expected) const {
  std::string found;
  switch (word().kind) {
  case Word::Kind::end: found = "the end of the template"; break;
  case Word::Kind::block_end: found = "'%}'"; break;
  case Word::Kind::print_end: found = "'}}'"; break;
  case Word::Kind::text: found = "a text"; break;
  default: found = fmt::format("'{}'", word().text.substr(0, 40));
  }
  fail(fmt::format("found {}, expected {}", found, expected));
}

void Parser::end_tag() {
  if (word().kind != Word::Kind::block_end) fail_expected("'%}'");
  take();
}

/// Up to a tag whose name is one of `ends`, which is left for the caller to read: the position is at its name.
Body Parser::parse_body(std::initializer_list<std::string_view> ends) {
  const Nesting nesting(*this);
  Body body;
  for (;;) {
    switch (word().kind) {
    case Word::Kind::end:
      if (ends.size() == 0) return body;
      fail(fmt::format("the template ends inside a block: no {{% {} %}}", *(ends.end() - 1)));
    case Word::Kind::data: {
      Statement text;
      text.line = word().line;
      text.text = take().text;
      body.push_back(std::move(text));
      break;
    }
    case Word::Kind::print_begin: body.push_back(parse_print()); break;
    default: // block_begin: the lexer puts nothing else here
      take();
      if (word().kind == Word::Kind::name && std::ranges::find(ends, word().text) != ends.end()) return body;
      body.push_back(parse_statement());
    }
  }
}

Statement Parser::parse_print() {
  Statement print;
  print.kind = Statement::Kind::print;
  print.line = take().line;
  print.value = parse_tuple(true);
  if (word().kind != Word::Kind::print_end) fail_expected("'}}'");
  take();
  return print;
}

Statement Parser::parse_statement() {
  const int line = word().line;
  const std::string name = expect_name("the name of a statement");
  Statement statement;
  if (name == "if") statement = parse_if();
  else if (name == "for") statement = parse_for();
  else if (name == "set") statement = parse_set();
  else if (name == "macro") statement = parse_macro();
  else if (name == "call") statement = parse_call_block();
  else if (name == "filter") statement = parse_filter_block();
  else if (name == "with") statement = parse_with();
  else if (name == "generation") statement = parse_generation();
  else if (name == "break" || name == "continue") {
    if (loops_ == 0) fail(fmt::format("{{% {} %}} outside of a loop", name));
    statement.kind = name == "break" ? Statement::Kind::break_loop : Statement::Kind::continue_loop;
    end_tag();
  } else if (name == "include" || name == "import" || name == "from" || name == "extends" || name == "block") {
    fail(fmt::format("{{% {} %}} is not supported: a chat template stands for itself", name));
  } else {
    fail(fmt::format("{{% {} %}} is no statement, or has nothing to go with here", name));
  }
  statement.line = line;
  return statement;
}

Statement Parser::parse_if() {
  Statement statement;
  statement.kind = Statement::Kind::branches;
  for (bool more = true; more;) {
    Branch branch;
    branch.condition = parse_tuple(false);
    end_tag();
    branch.body = parse_body({"elif", "else", "endif"});
    statement.branches.push_back(std::move(branch));
    more = accept_name("elif");
  }
  if (accept_name("else")) {
    end_tag();
    Branch branch;
    branch.body = parse_body({"endif"});
    statement.branches.push_back(std::move(branch));
  }
  take();
  end_tag();
  return statement;
}

Statement Parser::parse_for() {
  Statement statement;
  statement.kind = Statement::Kind::loop;
  statement.target = parse_target(false);
  if (!accept_name("in")) fail_expected("'in'");
  statement.value = parse_tuple(false);
  if (accept_name("if")) statement.test = parse_expression();
  statement.recursive = accept_name("recursive");
  end_tag();
  ++loops_;
  statement.body = parse_body({"endfor", "else"});
  --loops_;
  if (accept_name("else")) {
    end_tag();
    statement.otherwise = parse_body({"endfor"});
  }
  take();
  end_tag();
  return statement;
}

Statement Parser::parse_set() {
  Statement statement;
  statement.target = parse_target(true);
  if (accept_symbol("=")) {
    statement.kind = Statement::Kind::set;
    statement.value = parse_tuple(true);
    end_tag();
    return statement;
  }
  statement.kind = Statement::Kind::set_block;
  if (at_symbol("|")) statement.value = parse_filters(nullptr);
  end_tag();
  const int loops = std::exchange(loops_, 0);
  statement.body = parse_body({"endset"});
  loops_ = loops;
  take();
  end_tag();
  return statement;
}

void Parser::parse_parameters(MacroDefinition& macro) {
  expect_symbol("(");
  while (!at_symbol(")")) {
    if (!macro.parameters.empty()) expect_symbol(",");
    if (at_symbol(")")) break;
    Parameter parameter;
    parameter.name = expect_name("the name of a parameter");
    if (accept_symbol("=")) parameter.fallback = parse_expression();
    else if (!macro.parameters.empty() && macro.parameters.back().fallback)
      fail("a parameter without a default follows one with a default");
    macro.parameters.push_back(std::move(parameter));
  }
  expect_symbol(")");
}

void Parser::parse_macro_body(MacroDefinition& macro, std::string_view end) {
  macros_.push_back(&macro);
  const int loops = std::exchange(loops_, 0);
  macro.body = parse_body({end});
  loops_ = loops;
  macros_.pop_back();
  take();
  end_tag();
}

Statement Parser::parse_macro() {
  Statement statement;
  statement.kind = Statement::Kind::macro;
  statement.macro = std::make_shared<MacroDefinition>();
  statement.macro->name = expect_name("the name of a macro");
  parse_parameters(*statement.macro);
  end_tag();
  parse_macro_body(*statement.macro, "endmacro");
  return statement;
}

Statement Parser::parse_call_block() {
  Statement statement;
  statement.kind = Statement::Kind::call_block;
  statement.macro = std::make_shared<MacroDefinition>();
  statement.macro->name = "caller";
  if (at_symbol("(")) parse_parameters(*statement.macro);
  statement.value = parse_expression();
  if (statement.value->kind != Expression::Kind::call) fail("{% call %} needs a call of a macro");
  end_tag();
  parse_macro_body(*statement.macro, "endcall");
  return statement;
}

Statement Parser::parse_filter_block() {
  Statement statement;
  statement.kind = Statement::Kind::filter_block;
  statement.value = parse_filters(parse_filter(nullptr));
  end_tag();
  const int loops = std::exchange(loops_, 0);
  statement.body = parse_body({"endfilter"});
  loops_ = loops;
  take();
  end_tag();
  return statement;
}

Statement Parser::parse_with() {
  Statement statement;
  statement.kind = Statement::Kind::with;
  while (word().kind != Word::Kind::block_end) {
    if (!statement.assignments.empty()) expect_symbol(",");
    Target target = parse_target(false);
    expect_symbol("=");
    statement.assignments.emplace_back(std::move(target), parse_expression());
  }
  end_tag();
  statement.body = parse_body({"endwith"});
  take();
  end_tag();
  return statement;
}

Statement Parser::parse_generation() {
  Statement statement;
  statement.kind = Statement::Kind::scope;
  end_tag();
  const int loops = std::exchange(loops_, 0);
  statement.body = parse_body({"endgeneration"});
  loops_ = loops;
  take();
  end_tag();
  return statement;
}

Target Parser::parse_single_target(bool with_attributes) {
  const Nesting nesting(*this);
  if (accept_symbol("(")) {
    Target target = parse_target(with_attributes);
    expect_symbol(")");
    return target;
  }
  Target target;
  target.name = expect_name("the name of a variable");
  for (const std::string_view reserved : {"true", "false", "none", "True", "False", "None"})
    if (target.name == reserved) fail(fmt::format("'{}' can't be assigned to", reserved));
  if (with_attributes && accept_symbol(".")) {
    target.kind = Target::Kind::attribute;
    target.attribute = expect_name("the name of an attribute");
  }
  return target;
}

Target Parser::parse_target(bool with_attributes) {
  Target first = parse_single_target(with_attributes);
  if (!at_symbol(",")) return first;
  Target tuple;
  tuple.kind = Target::Kind::tuple;
  tuple.parts.push_back(std::move(first));
  while (accept_symbol(",")) {
    if (word().kind != Word::Kind::name && !at_symbol("(")) break;
    if (at_name("in")) break;
    tuple.parts.push_back(parse_single_target(with_attributes));
  }
  return tuple;
}

} // namespace kern::jinja
