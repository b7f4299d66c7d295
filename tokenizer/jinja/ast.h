// What a template says, as a tree.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/jinja/value.h"

namespace kern::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Argument {
  enum class Kind { positional, named, spread, spread_named }; // x, a=x, *x, **x
  Kind kind = Kind::positional;
  std::string name;
  ExpressionPtr value;
};

struct Expression {
  enum class Kind {
    constant,
    name,
    list,
    tuple,
    dict, // operands: key, value, key, value...
    logical_not,
    negate,
    plus,
    binary, // name: the operator
    logical_and,
    logical_or,
    concat,    // ~ over all operands
    compare,   // operators between neighbouring operands
    condition, // operands: value, condition, and otherwise if there
    attribute, // operands: object; name
    item,      // operands: object, key
    slice,     // operands: object, then first, last, step: null where left out
    call,      // operands: callee; arguments
    filter,    // operands: value, none inside a filter block; name; arguments
    test,      // operands: value; name; arguments
  };
  Kind kind = Kind::constant;
  int line = 1;
  int depth = 1; // of the tree below
  std::string name;
  Value value; // constant
  std::vector<ExpressionPtr> operands;
  std::vector<Argument> arguments;
  std::vector<std::string> operators; // compare
};

/// What `set` and `for` assign to.
struct Target {
  enum class Kind { name, attribute, tuple };
  Kind kind = Kind::name;
  std::string name; // the variable; for an attribute the namespace
  std::string attribute;
  std::vector<Target> parts;
};

struct Statement;
using Body = std::vector<Statement>;

struct Branch {
  ExpressionPtr condition; // null: else
  Body body;
};

struct Parameter {
  std::string name;
  ExpressionPtr fallback; // null: none
};

/// What is called by its name or, in a call block, as caller().
struct MacroDefinition {
  std::string name;
  std::vector<Parameter> parameters;
  Body body;
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;
};

struct Statement {
  enum class Kind {
    text,
    print,     // value
    branches,  // if, elif, else
    loop,      // for target in value [if test]: body, else: otherwise
    set,       // target = value
    set_block, // target = body [through the filters of value]
    macro,
    call_block,   // value: the call; macro: the caller
    filter_block, // body through the filters of value
    with,         // assignments, body
    scope,        // body as it is
    break_loop,
    continue_loop,
  };
  Kind kind = Kind::text;
  int line = 1;
  std::string text;
  Target target;
  ExpressionPtr value;
  ExpressionPtr test;
  bool recursive = false;
  std::vector<Branch> branches;
  std::vector<std::pair<Target, ExpressionPtr>> assignments;
  Body body;
  Body otherwise;
  std::shared_ptr<MacroDefinition> macro;
};

} // namespace kern::jinja
