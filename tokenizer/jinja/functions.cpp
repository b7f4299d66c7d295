// Global functions, and the objects that they and statements make: namespaces, cyclers, joiners, macros, loops.
#include <algorithm>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"
#include "tokenizer/jinja/loop.h"

namespace kern::jinja {

namespace {

constexpr std::int64_t longest_range = 100'000; // Jinja's own limit in its sandbox

using FunctionBody = Value (*)(Arguments&, Interpreter&);

class FunctionObject : public Object {
public:
  FunctionObject(std::string_view name, FunctionBody body) : name_(name), body_(body) {}
  bool callable() const override { return true; }
  Value call(Arguments& arguments, Interpreter& interpreter) override { return body_(arguments, interpreter); }
  std::string describe() const override { return fmt::format("<function {}>", name_); }

private:
  std::string_view name_;
  FunctionBody body_;
};

/// object.name(...) of objects made here.
class MemberFunction : public Object {
public:
  using Body = std::function<Value(Arguments&, Interpreter&)>;
  explicit MemberFunction(Body body) : body_(std::move(body)) {}
  bool callable() const override { return true; }
  Value call(Arguments& arguments, Interpreter& interpreter) override { return body_(arguments, interpreter); }
  std::string describe() const override { return "<bound method>"; }

private:
  Body body_;
};

Value member(MemberFunction::Body body) { return ObjectPtr(std::make_shared<MemberFunction>(std::move(body))); }

class Namespace : public Object {
public:
  std::optional<Value> attribute(std::string_view name, Interpreter&) override {
    const auto place = values.find(name);
    return place == values.end() ? std::nullopt : std::optional(place->second);
  }
  std::string describe() const override { return "<Namespace>"; }

  void set(std::string_view name, Value value) {
    if (name.starts_with('_'))
      throw Problem(fmt::format("a namespace can't have an attribute '{}': it begins with _", name));
    values.insert_or_assign(std::string(name), std::move(value));
  }

  std::map<std::string, Value, std::less<>> values;
};

class Cycler : public Object, public std::enable_shared_from_this<Cycler> {
public:
  std::optional<Value> attribute(std::string_view name, Interpreter&) override {
    if (name == "current") return values[position];
    if (name == "next")
      return member([self = shared_from_this()](Arguments&, Interpreter&) {
        const Value value = self->values[self->position];
        self->position = (self->position + 1) % self->values.size();
        return value;
      });
    if (name == "reset")
      return member([self = shared_from_this()](Arguments&, Interpreter&) {
        self->position = 0;
        return Value(None{});
      });
    return std::nullopt;
  }
  std::string describe() const override { return "<Cycler>"; }

  std::vector<Value> values;
  std::size_t position = 0;
};

class Joiner : public Object {
public:
  explicit Joiner(Text separator) : separator_(std::move(separator)) {}
  bool callable() const override { return true; }
  Value call(Arguments&, Interpreter& interpreter) override {
    if (std::exchange(used_, true)) return interpreter.text(separator_);
    return make_text("");
  }
  std::string describe() const override { return "<Joiner>"; }

private:
  Text separator_;
  bool used_ = false;
};

class MacroObject : public Object {
public:
  MacroObject(std::shared_ptr<const MacroDefinition> macro, ScopePtr scope)
      : macro_(std::move(macro)), scope_(std::move(scope)) {}
  bool callable() const override { return true; }
  std::optional<Value> attribute(std::string_view name, Interpreter&) override {
    if (name == "name") return make_text(macro_->name);
    return std::nullopt;
  }
  Value call(Arguments& arguments, Interpreter& interpreter) override {
    return interpreter.run_macro(*macro_, scope_, arguments);
  }
  std::string describe() const override { return fmt::format("<Macro '{}'>", macro_->name); }

private:
  std::shared_ptr<const MacroDefinition> macro_;
  ScopePtr scope_;
};

Value range_function(Arguments& arguments, Interpreter& interpreter) {
  const Bound bound("range", arguments, {"start", "stop", "step"}, 1);
  std::int64_t start = bound.integer(0, 0);
  std::int64_t stop = bound.integer(1, 0);
  if (!bound.get(1)) stop = std::exchange(start, 0);
  const std::int64_t step = bound.integer(2, 1);
  if (step == 0) throw Problem("range: the step is zero");
  std::vector<Value> numbers;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (numbers.size() >= static_cast<std::size_t>(longest_range))
      throw Problem(fmt::format("range: more than {} numbers", longest_range));
    numbers.push_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return interpreter.list(std::move(numbers), Sequence::Kind::range);
}

/// What dict() and namespace() take: a dict or pairs, and named arguments.
Dict collect(std::string_view function, Arguments& arguments, Interpreter& interpreter) {
  Dict dict;
  if (arguments.positional.size() > 1)
    throw Problem(fmt::format("{}: more than one argument without a name", function));
  for (const Value& value : arguments.positional) {
    if (value.is<DictPtr>()) {
      for (const auto& [key, element] : value.dict().entries()) dict.set(key, element, interpreter.budget());
      continue;
    }
    for (const Value& pair : iterate(value, interpreter.budget())) {
      const std::vector<Value> two = iterate(pair, interpreter.budget());
      if (two.size() != 2) throw Problem(fmt::format("{}: expected pairs of a key and a value", function));
      dict.set(two[0], two[1], interpreter.budget());
    }
  }
  for (auto& [name, value] : arguments.named) dict.set(make_text(name), value, interpreter.budget());
  return dict;
}

Value dict_function(Arguments& arguments, Interpreter& interpreter) {
  return DictPtr(std::make_shared<Dict>(collect("dict", arguments, interpreter)));
}

Value namespace_function(Arguments& arguments, Interpreter& interpreter) {
  auto made = std::make_shared<Namespace>();
  const Dict values = collect("namespace", arguments, interpreter);
  for (const auto& [key, value] : values.entries())
    if (key.is_text()) made->set(key.text().view(), value);
  interpreter.budget().bytes(256);
  interpreter.keep([made] { made->values.clear(); });
  return ObjectPtr(std::move(made));
}

Value cycler_function(Arguments& arguments, Interpreter& interpreter) {
  if (arguments.positional.empty()) throw Problem("cycler: found no values, expected at least one");
  auto made = std::make_shared<Cycler>();
  made->values = std::move(arguments.positional);
  interpreter.budget().bytes(256 + made->values.size() * sizeof(Value));
  interpreter.keep([made] { made->values.clear(); });
  return ObjectPtr(std::move(made));
}

Value joiner_function(Arguments& arguments, Interpreter& interpreter) {
  const Bound bound("joiner", arguments, {"sep"});
  const Text* separator = bound.text(0);
  interpreter.budget().bytes(sizeof(Joiner) + (separator ? separator->size() : 0));
  return ObjectPtr(std::make_shared<Joiner>(separator ? *separator : Text(", ")));
}

Value raise_function(Arguments& arguments, Interpreter& interpreter) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  throw Problem(std::string(interpreter.to_text(*bound.get(0)).view()));
}

Value time_function(Arguments& arguments, Interpreter& interpreter) {
  const Bound bound("strftime_now", arguments, {"format"}, 1);
  const Text* format = bound.text(0);
  if (!format) throw Problem("strftime_now: expected a format");
  interpreter.budget().bytes(format->size() * 32);
  return interpreter.text(Text(format_time(interpreter.options().now, format->view()), format->marked()));
}

} // namespace

Value find_function(std::string_view name) {
  constexpr std::pair<std::string_view, FunctionBody> functions[] = {
      {"range", range_function},       {"dict", dict_function},     {"namespace", namespace_function},
      {"cycler", cycler_function},     {"joiner", joiner_function}, {"raise_exception", raise_function},
      {"strftime_now", time_function},
  };
  for (const auto& [known, body] : functions)
    if (name == known) return ObjectPtr(std::make_shared<FunctionObject>(known, body));
  return {};
}

void set_attribute(const Value& object, const std::string& attribute, const Value& value) {
  check_defined(object);
  const auto target = object.is<ObjectPtr>() ? std::dynamic_pointer_cast<Namespace>(object.object()) : nullptr;
  if (!target) throw Problem(fmt::format("attributes can be set on a namespace only, found {}", type_name(object)));
  target->set(attribute, value);
}

ObjectPtr make_macro(std::shared_ptr<const MacroDefinition> macro, ScopePtr scope) {
  return std::make_shared<MacroObject>(std::move(macro), std::move(scope));
}

void LoopObject::finish() {
  finished_ = true;
  elements_.clear();
  last_.reset();
  index_ = std::min(index_, size_ ? size_ - 1 : 0);
}

std::optional<Value> LoopObject::attribute(std::string_view name, Interpreter&) {
  if (name == "index") return index_ + 1;
  if (name == "index0") return index_;
  if (name == "revindex") return size_ - index_;
  if (name == "revindex0") return size_ - index_ - 1;
  if (name == "first") return index_ == 0;
  if (name == "last") return index_ + 1 == size_;
  if (name == "length") return size_;
  if (name == "depth") return depth_;
  if (name == "depth0") return depth_ - 1;
  if (name == "previtem")
    return index_ == 0 || at_end() ? undefined("there is no previous item") : elements_[index_ - 1];
  if (name == "nextitem")
    return index_ + 1 >= elements_.size() ? undefined("there is no next item") : elements_[index_ + 1];
  if (name == "cycle")
    return member([index = index_](Arguments& arguments, Interpreter&) {
      if (arguments.positional.empty()) throw Problem("loop.cycle: found no values, expected at least one");
      return arguments.positional[index % arguments.positional.size()];
    });
  if (name == "changed")
    return member([self = shared_from_this()](Arguments& arguments, Interpreter& running) {
      return self->changed(std::move(arguments.positional), running.budget());
    });
  return std::nullopt;
}

Value LoopObject::changed(std::vector<Value> values, Budget& budget) {
  const bool same = last_ && last_->size() == values.size() &&
                    std::equal(values.begin(), values.end(), last_->begin(),
                               [&](const Value& a, const Value& b) { return equal(a, b, budget); });
  if (!same && !finished_) last_ = std::move(values);
  return !same;
}

Value LoopObject::call(Arguments& arguments, Interpreter& interpreter) {
  if (!loop_.recursive) throw Problem("loop() needs a loop that is marked recursive");
  const Bound bound("loop", arguments, {"iterable"}, 1);
  return interpreter.run_loop(loop_, scope_, *bound.get(0), depth_ + 1);
}

std::string LoopObject::describe() const { return fmt::format("<LoopContext {}/{}>", index_ + 1, size_); }

} // namespace kern::jinja
