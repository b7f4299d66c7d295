// Methods of texts, lists, tuples and dicts.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

namespace {

constexpr std::array<std::string_view, 37> text_methods = {
    "strip",   "lstrip",  "rstrip",       "split",        "rsplit",     "splitlines", "startswith", "endswith",
    "replace", "upper",   "lower",        "title",        "capitalize", "swapcase",   "casefold",   "join",
    "find",    "rfind",   "index",        "rindex",       "count",      "format",     "isdigit",    "isalpha",
    "isalnum", "isspace", "isupper",      "islower",      "isnumeric",  "isdecimal",  "center",     "ljust",
    "rjust",   "zfill",   "removeprefix", "removesuffix", "partition"};
constexpr std::array<std::string_view, 5> dict_methods = {"copy", "get", "items", "keys", "values"};
constexpr std::array<std::string_view, 2> list_methods = {"index", "count"};
constexpr std::array<std::string_view, 8> list_changes = {"append", "clear",  "extend",  "insert",
                                                          "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 5> dict_changes = {"clear", "pop", "popitem", "setdefault", "update"};

bool among(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Value dict_method(Interpreter& interpreter, const Value& object, std::string_view name, Arguments& arguments) {
  const Dict& dict = object.dict();
  if (name == "get") {
    const Bound bound("get", arguments, {"key", "default"}, 1);
    if (const Value* value = dict.find(*bound.get(0), interpreter.budget())) return *value;
    return bound.get(1) ? *bound.get(1) : Value(None{});
  }
  const Bound none(name, arguments, {});
  if (name == "copy") return object; // nothing changes either of them
  std::vector<Value> elements;
  for (const auto& [key, value] : dict.entries())
    elements.push_back(name == "keys"     ? key
                       : name == "values" ? value
                                          : interpreter.list({key, value}, Sequence::Kind::tuple));
  return interpreter.list(std::move(elements), name == "keys"     ? Sequence::Kind::keys
                                               : name == "values" ? Sequence::Kind::values
                                                                  : Sequence::Kind::items);
}

Value list_method(Interpreter& interpreter, const Sequence& list, std::string_view name, Arguments& arguments) {
  const Bound bound(name, arguments, {"value"}, 1);
  const auto same = [&](const Value& element) { return equal(element, *bound.get(0), interpreter.budget()); };
  if (name == "count") return static_cast<std::int64_t>(std::ranges::count_if(list.elements, same));
  const auto place = std::ranges::find_if(list.elements, same);
  if (place == list.elements.end()) throw Problem("index: the list has no such element");
  return static_cast<std::int64_t>(place - list.elements.begin());
}

class Method : public Object {
public:
  Method(Value object, std::string_view name)
      : object_(std::move(object)), name_(name), depth_(checked_depth(depth_of(object_) + 1)) {}
  bool callable() const override { return true; }
  Value call(Arguments& arguments, Interpreter& interpreter) override {
    if (object_.is_text()) return call_text_method(interpreter, object_.text(), name_, arguments);
    if (object_.is<DictPtr>()) return dict_method(interpreter, object_, name_, arguments);
    return list_method(interpreter, object_.sequence(), name_, arguments);
  }
  std::string describe() const override { return fmt::format("<built-in method {}>", name_); }
  int depth() const override { return depth_; }

private:
  Value object_;
  std::string name_;
  int depth_;
};

} // namespace

std::optional<Value> find_method(const Value& object, std::string_view name) {
  const auto method = [&] { return Value(ObjectPtr(std::make_shared<Method>(object, name))); };
  const auto unsafe = [&] {
    return undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe: a template changes no values",
                                 name, type_name(object)));
  };
  if (object.is_text() && among(text_methods, name)) return method();
  if (object.is<DictPtr>()) {
    if (among(dict_methods, name)) return method();
    if (among(dict_changes, name)) return unsafe();
  }
  if (!object.is<SequencePtr>()) return std::nullopt;
  const Sequence& sequence = object.sequence();
  if (sequence.kind == Sequence::Kind::group && name == "grouper") return sequence.elements[0];
  if (sequence.kind == Sequence::Kind::group && name == "list") return sequence.elements[1];
  if ((sequence.is_tuple() || sequence.kind == Sequence::Kind::list) && among(list_methods, name)) return method();
  if (sequence.kind == Sequence::Kind::list && among(list_changes, name)) return unsafe();
  return std::nullopt;
}

} // namespace kern::jinja
