// Statements.
#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/level.h"
#include "tokenizer/jinja/loop.h"
#include "tokenizer/jinja/parser.h"

namespace kern::jinja {

namespace {

std::size_t input_bytes(const Value& value) {
  std::size_t bytes = 16;
  if (value.is_text()) bytes += value.text().size();
  if (value.is<SequencePtr>())
    for (const Value& element : value.sequence().elements) bytes += input_bytes(element);
  if (value.is<DictPtr>())
    for (const auto& [key, element] : value.dict().entries()) bytes += input_bytes(key) + input_bytes(element);
  return bytes;
}

std::string one_line(std::string problem) {
  std::ranges::replace(problem, '\n', ' ');
  std::ranges::replace(problem, '\r', ' ');
  return problem;
}

} // namespace

DateTime local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm fields{};
  localtime_r(&now, &fields);
  return {fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec};
}

Template::Template(std::string_view source) : body_(parse_template(source)) {}

Text Template::render(const Dict& variables, const RenderOptions& options) const {
  std::size_t bytes = 0;
  for (const auto& [key, value] : variables.entries()) bytes += input_bytes(key) + input_bytes(value);
  return Interpreter(variables, options, bytes).render(body_);
}

Interpreter::Interpreter(const Dict& variables, const RenderOptions& options, std::size_t input_bytes)
    : variables_(variables), options_(options), budget_(options.limits, input_bytes),
      scope_(std::make_shared<Scope>()) {}

Interpreter::~Interpreter() {
  for (const auto& take_apart : take_apart_) take_apart();
}

Text Interpreter::render(const Body& body) {
  Text out;
  out_ = &out;
  try {
    execute(body);
  } catch (const Problem& problem) {
    throw TemplateError(line_, one_line(problem.what()));
  }
  return out;
}

void Interpreter::print(const Text& text) {
  budget_.bytes(text.size());
  out_->append(text);
}

/// A new scope inside the present one; who enters gives `scope_` back what it was.
void Interpreter::enter() {
  budget_.bytes(sizeof(Scope));
  auto inner = std::make_shared<Scope>();
  inner->parent = scope_;
  scope_ = std::move(inner);
}

Text Interpreter::capture(const Body& body) {
  Text captured;
  Text* const out = std::exchange(out_, &captured);
  const ScopePtr scope = scope_;
  enter();
  execute(body);
  scope_ = scope;
  out_ = out;
  return captured;
}

void Interpreter::assign(const Target& target, const Value& value) {
  budget_.step();
  switch (target.kind) {
  case Target::Kind::name: {
    const auto [place, added] = scope_->variables.insert_or_assign(target.name, value);
    if (added) budget_.bytes(sizeof(*place) + target.name.size());
    return;
  }
  case Target::Kind::attribute: return set_attribute(find_variable(target.name), target.attribute, value);
  case Target::Kind::tuple: break;
  }
  const std::vector<Value> elements = iterate(value, budget_);
  if (elements.size() != target.parts.size())
    throw Problem(fmt::format("found {} values to assign, expected {}", elements.size(), target.parts.size()));
  for (std::size_t i = 0; i < elements.size(); ++i) assign(target.parts[i], elements[i]);
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  const Level level(*this);
  for (const Statement& statement : body)
    if (const Flow flow = execute(statement); flow != Flow::on) return flow;
  return Flow::on;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
  using Kind = Statement::Kind;
  budget_.step();
  line_ = statement.line;
  switch (statement.kind) {
  case Kind::text:
    budget_.bytes(statement.text.size());
    out_->append(statement.text);
    break;
  case Kind::print: {
    const Value value = evaluate(*statement.value);
    line_ = statement.line;
    if (value.is_text()) print(value.text());
    else print(jinja::to_text(value, budget_));
    break;
  }
  case Kind::branches: return execute_branches(statement);
  case Kind::loop: loop_over(statement, evaluate(*statement.value), 1); break;
  case Kind::set:
  case Kind::set_block: execute_set(statement); break;
  case Kind::macro: {
    budget_.bytes(sizeof(Scope));
    keep([scope = scope_] { scope->variables.clear(); });
    scope_->variables.insert_or_assign(statement.macro->name, make_macro(statement.macro, scope_));
    break;
  }
  case Kind::call_block: execute_call_block(statement); break;
  case Kind::filter_block: {
    const Value block = text(capture(statement.body));
    print(to_text(evaluate_filter(*statement.value, &block)));
    break;
  }
  case Kind::with: return execute_with(statement);
  case Kind::scope: print(capture(statement.body)); break;
  case Kind::break_loop: return Flow::leaves_loop;
  case Kind::continue_loop: return Flow::next_turn;
  }
  return Flow::on;
}

void Interpreter::execute_set(const Statement& statement) {
  Value value;
  if (statement.kind == Statement::Kind::set) {
    value = evaluate(*statement.value);
  } else {
    value = text(capture(statement.body));
    if (statement.value) value = evaluate_filter(*statement.value, &value);
  }
  line_ = statement.line;
  assign(statement.target, value);
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement) {
  std::vector<Value> values;
  for (const auto& [target, expression] : statement.assignments) values.push_back(evaluate(*expression));
  const ScopePtr scope = scope_;
  enter();
  for (std::size_t i = 0; i < values.size(); ++i) assign(statement.assignments[i].first, values[i]);
  const Flow flow = execute(statement.body);
  scope_ = scope;
  return flow;
}

void Interpreter::execute_call_block(const Statement& statement) {
  budget_.bytes(sizeof(Scope));
  keep([scope = scope_] { scope->variables.clear(); });
  const Value caller = make_macro(statement.macro, scope_);
  print(to_text(evaluate_call(*statement.value, &caller)));
}

Interpreter::Flow Interpreter::execute_branches(const Statement& statement) {
  for (const Branch& branch : statement.branches)
    if (!branch.condition || truth(evaluate(*branch.condition))) return execute(branch.body);
  return Flow::on;
}

std::vector<Value> Interpreter::filtered(const Statement& loop, std::vector<Value> elements) {
  if (!loop.test) return elements;
  const ScopePtr scope = scope_;
  std::vector<Value> kept;
  for (Value& element : elements) {
    enter();
    assign(loop.target, element);
    if (truth(evaluate(*loop.test))) kept.push_back(std::move(element));
    scope_ = scope;
  }
  return kept;
}

void Interpreter::loop_over(const Statement& loop, const Value& over, int depth) {
  const ScopePtr outer = scope_;
  const auto state = std::make_shared<LoopObject>(loop, outer, filtered(loop, iterate(over, budget_)), depth);
  struct Finisher {
    LoopObject& loop;
    ~Finisher() { loop.finish(); }
  } const finisher{*state};
  bool any = false;
  for (; !state->at_end(); state->advance()) {
    any = true;
    scope_ = outer;
    enter();
    scope_->variables.emplace("loop", ObjectPtr(state));
    assign(loop.target, state->element());
    if (execute(loop.body) == Flow::leaves_loop) break;
  }
  scope_ = outer;
  if (any || loop.otherwise.empty()) return;
  enter();
  execute(loop.otherwise);
  scope_ = outer;
}

Value Interpreter::run_loop(const Statement& loop, const ScopePtr& scope, const Value& over, int depth) {
  Text printed;
  Text* const out = std::exchange(out_, &printed);
  const ScopePtr present = std::exchange(scope_, scope);
  loop_over(loop, over, depth);
  scope_ = present;
  out_ = out;
  return text(std::move(printed));
}

Value Interpreter::run_macro(const MacroDefinition& macro, const ScopePtr& scope, Arguments& arguments) {
  const ScopePtr present = std::exchange(scope_, scope);
  enter();
  auto& variables = scope_->variables;
  if (macro.uses_caller) variables["caller"] = undefined("there is no caller: the macro isn't called by {% call %}");
  std::vector<Value> more;
  for (std::size_t i = macro.parameters.size(); i < arguments.positional.size(); ++i)
    more.push_back(arguments.positional[i]);
  if (!more.empty() && !macro.uses_varargs)
    throw Problem(fmt::format("macro '{}': found {} arguments, expected at most {}", macro.name,
                              arguments.positional.size(), macro.parameters.size()));
  if (macro.uses_varargs) variables["varargs"] = list(std::move(more), Sequence::Kind::tuple);
  for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    const auto named = std::ranges::find(arguments.named, parameter.name, &std::pair<std::string, Value>::first);
    Value value;
    if (i < arguments.positional.size()) value = arguments.positional[i];
    else if (named != arguments.named.end()) value = named->second;
    else if (parameter.fallback) value = evaluate(*parameter.fallback);
    else value = undefined(fmt::format("parameter '{}' was not provided", parameter.name));
    if (named != arguments.named.end()) arguments.named.erase(named);
    variables[parameter.name] = value;
  }
  auto rest = std::make_shared<Dict>();
  for (const auto& [name, value] : arguments.named) {
    if (name == "caller" && macro.uses_caller) variables["caller"] = value;
    else if (macro.uses_kwargs) rest->set(make_text(name), value, budget_);
    else throw Problem(fmt::format("macro '{}': found an argument '{}', which it doesn't have", macro.name, name));
  }
  if (macro.uses_kwargs) variables["kwargs"] = DictPtr(std::move(rest));
  Text printed;
  Text* const out = std::exchange(out_, &printed);
  execute(macro.body);
  out_ = out;
  scope_ = present;
  return text(std::move(printed));
}

} // namespace kern::jinja
