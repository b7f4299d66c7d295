// The words of a template -> its tree.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/lexer.h"

namespace kern::jinja {

/// Throws TemplateError.
Body parse_template(std::string_view source);

class Parser {
public:
  explicit Parser(std::vector<Word> words) : words_(std::move(words)) {}
  Body parse();

private:
  /// Templates come from outside: a level of nesting is counted, and given back.
  class Nesting {
  public:
    explicit Nesting(Parser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

  private:
    Parser& parser_;
  };

  // words
  const Word& word() const { return words_[position_]; }
  const Word& next_word() const { return words_[std::min(position_ + 1, words_.size() - 1)]; }
  Word take();
  bool at_symbol(std::string_view symbol) const;
  bool at_name(std::string_view name) const;
  bool accept_symbol(std::string_view symbol);
  bool accept_name(std::string_view name);
  void expect_symbol(std::string_view symbol);
  std::string expect_name(std::string_view what);
  [[noreturn]] void fail(std::string problem) const;
  [[noreturn]] void fail_expected(std::string_view expected) const;

  // statements
  Body parse_body(std::initializer_list<std::string_view> ends);
  Statement parse_statement();
  Statement parse_print();
  Statement parse_if();
  Statement parse_for();
  Statement parse_set();
  Statement parse_macro();
  Statement parse_call_block();
  Statement parse_filter_block();
  Statement parse_with();
  Statement parse_generation();
  void parse_parameters(MacroDefinition& macro);
  void parse_macro_body(MacroDefinition& macro, std::string_view end);
  Target parse_target(bool with_attributes);
  Target parse_single_target(bool with_attributes);
  void end_tag();

  // expressions
  ExpressionPtr make(Expression::Kind kind) const;
  void adopt(Expression& parent, ExpressionPtr child) const;
  void adopt(Expression& parent, std::vector<Argument> arguments) const;
  ExpressionPtr parse_expression(bool with_condition = true);
  ExpressionPtr parse_tuple(bool with_condition, bool in_parentheses = false);
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concat();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filters = true);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_literal();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr value);
  ExpressionPtr parse_filters(ExpressionPtr value);
  ExpressionPtr parse_filter(ExpressionPtr value);
  ExpressionPtr parse_test(ExpressionPtr value);
  ExpressionPtr parse_call(ExpressionPtr callee);
  ExpressionPtr parse_subscript(ExpressionPtr object);
  std::vector<Argument> parse_arguments();
  std::string parse_dotted_name(std::string_view what);

  std::vector<Word> words_;
  std::size_t position_ = 0;
  int nesting_ = 0;
  int loops_ = 0;
  std::vector<MacroDefinition*> macros_; // around the position
};

} // namespace kern::jinja
