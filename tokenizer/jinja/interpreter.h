// Running a template.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/template.h"
#include "tokenizer/jinja/value.h"

namespace kern::jinja {

/// Variables of a block. Blocks inside see those around them, also what is set there later.
struct Scope {
  std::shared_ptr<Scope> parent; // null: the template's own
  std::map<std::string, Value, std::less<>> variables;
};
using ScopePtr = std::shared_ptr<Scope>;

class Interpreter {
public:
  Interpreter(const Dict& variables, const RenderOptions& options, std::size_t input_bytes);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// Throws TemplateError.
  Text render(const Body& body);

  // For filters, tests, functions and methods:
  Budget& budget() { return budget_; }
  const RenderOptions& options() const { return options_; }
  Value text(Text text);
  Value list(std::vector<Value> elements, Sequence::Kind kind = Sequence::Kind::list) {
    return make_sequence(std::move(elements), budget_, kind);
  }
  Text to_text(const Value& value);
  Value attribute(const Value& object, const std::string& name);
  Value item(const Value& object, const Value& key);
  Value call(const Value& callee, Arguments& arguments);
  /// Keeps what may refer to itself, to take it apart at the end.
  void keep(std::function<void()> take_apart) { take_apart_.push_back(std::move(take_apart)); }
  Value run_macro(const MacroDefinition& macro, const ScopePtr& scope, Arguments& arguments);
  Value run_loop(const Statement& loop, const ScopePtr& scope, const Value& over, int depth);

private:
  enum class Flow { on, leaves_loop, next_turn };
  class Level;

  Flow execute(const Body& body);
  Flow execute(const Statement& statement);
  void execute_set(const Statement& statement);
  Flow execute_with(const Statement& statement);
  void execute_call_block(const Statement& statement);
  Flow execute_branches(const Statement& statement);
  void loop_over(const Statement& loop, const Value& over, int depth);
  std::vector<Value> filtered(const Statement& loop, std::vector<Value> elements);
  /// What `body` prints, in a scope of its own.
  Text capture(const Body& body);
  void print(const Text& text);
  void assign(const Target& target, const Value& value);
  void enter();
  Value find_variable(const std::string& name);

  Value evaluate(const Expression& expression);
  Value evaluate_inner(const Expression& expression);
  Value evaluate_binary(const Expression& expression);
  Value evaluate_compare(const Expression& expression);
  Value evaluate_slice(const Expression& expression);
  Value evaluate_call(const Expression& expression, const Value* caller = nullptr);
  Value evaluate_filter(const Expression& expression, const Value* block);
  Arguments evaluate_arguments(const Expression& expression);
  std::vector<Value> evaluate_all(std::span<const ExpressionPtr> expressions);

  const Dict& variables_;
  const RenderOptions& options_;
  Budget budget_;
  ScopePtr scope_;
  Text* out_ = nullptr;
  int line_ = 1;
  int depth_ = 0;
  std::vector<std::function<void()>> take_apart_;
};

/// Arguments by the names a function gives them. Throws Problem for those it doesn't know, for too many, and where one
/// of the first `required` is missing.
class Bound {
public:
  Bound(std::string_view function, Arguments& arguments, std::initializer_list<std::string_view> names,
        std::size_t required = 0);
  const Value* get(std::size_t i) const { return values_[i] ? &*values_[i] : nullptr; }
  bool flag(std::size_t i, bool fallback) const { return values_[i] ? truth(*values_[i]) : fallback; }
  std::int64_t integer(std::size_t i, std::int64_t fallback) const;
  /// None and what isn't given: null.
  const Text* text(std::size_t i) const;

private:
  std::string_view function_;
  std::vector<std::string_view> names_;
  std::vector<std::optional<Value>> values_;
};

using Filter = Value (*)(Interpreter&, const Value&, Arguments&);
using Test = bool (*)(Interpreter&, const Value&, Arguments&);
/// Null where there is none.
Filter find_filter(std::string_view name);
Filter find_text_filter(std::string_view name);
Filter find_sequence_filter(std::string_view name);
Test find_test(std::string_view name);
/// Throw Problem where there is none.
Value apply_filter(std::string_view name, Interpreter& interpreter, const Value& value, Arguments& arguments);
bool apply_test(std::string_view name, Interpreter& interpreter, const Value& value, Arguments& arguments);

/// range, dict, namespace, ...; undefined where there is none.
Value find_function(std::string_view name);
/// A method of a text, list, tuple or dict; nothing where there is none.
std::optional<Value> find_method(const Value& object, std::string_view name);
Value call_text_method(Interpreter& interpreter, const Text& text, std::string_view name, Arguments& arguments);
/// What `{% set NAMESPACE.attribute = ... %}` does. Throws Problem where it is no namespace.
void set_attribute(const Value& object, const std::string& attribute, const Value& value);

ObjectPtr make_macro(std::shared_ptr<const MacroDefinition> macro, ScopePtr scope);

/// Python's operators. Throw Problem.
Value apply_operator(std::string_view sign, const Value& a, const Value& b, Budget& budget);
Value negate(const Value& value);
bool contains(const Value& container, const Value& element, Budget& budget);
/// object[first:last:step]
Value slice(const Value& object, const Value& first, const Value& last, const Value& step, Budget& budget);
/// Position of a possibly negative index; nothing outside.
std::optional<std::size_t> position_of(std::int64_t index, std::size_t size);
[[noreturn]] void fail_undefined(const Value& value);
void check_defined(const Value& value);

/// 'text' % value, and str.format().
Text format_percent(const Text& format, const Value& value, Budget& budget);
Text format_braces(Interpreter& interpreter, const Text& format, const Arguments& arguments);
Text replace(const Text& text, const Text& old, const Text& by, std::int64_t count, Budget& budget);
Text join(const Text& separator, const std::vector<Value>& elements, Interpreter& interpreter);
std::vector<Value> split_lines(const Text& text, bool keep_ends);

/// datetime.strftime()
std::string format_time(const DateTime& time, std::string_view format);

} // namespace kern::jinja
