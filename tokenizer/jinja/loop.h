// `loop` inside a for block.
#pragma once

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

class LoopObject : public Object, public std::enable_shared_from_this<LoopObject> {
public:
  /// `depth`: of recursive loops, from 1.
  LoopObject(const Statement& loop, ScopePtr scope, std::vector<Value> elements, int depth)
      : loop_(loop), scope_(std::move(scope)), elements_(std::move(elements)), size_(elements_.size()), depth_(depth) {}

  bool at_end() const { return index_ >= elements_.size(); }
  const Value& element() const { return elements_[index_]; }
  void advance() { ++index_; }
  /// Lets go of what it holds, for good: a loop kept in a namespace must not hold other loops, or itself.
  void finish();

  std::optional<Value> attribute(std::string_view name, Interpreter& interpreter) override;
  bool callable() const override { return true; }
  Value call(Arguments& arguments, Interpreter& interpreter) override;
  std::string describe() const override;

  Value changed(std::vector<Value> values, Budget& budget);

private:
  const Statement& loop_;
  ScopePtr scope_; // around the loop
  std::vector<Value> elements_;
  std::size_t size_;
  std::size_t index_ = 0;
  int depth_;
  bool finished_ = false;
  std::optional<std::vector<Value>> last_; // what changed() saw
};

} // namespace kern::jinja
