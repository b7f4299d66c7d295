// One more call, statement or expression inside another.
#pragma once

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

class Interpreter::Level {
public:
  explicit Level(Interpreter& interpreter) : interpreter_(interpreter) {
    if (interpreter_.depth_ >= interpreter_.options_.limits.depth) throw Problem("calls are nested too deeply");
    ++interpreter_.depth_;
  }
  ~Level() { --interpreter_.depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

private:
  Interpreter& interpreter_;
};

} // namespace kern::jinja
