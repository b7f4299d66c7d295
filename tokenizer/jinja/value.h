// Values of Jinja expressions: Python's, as far as chat templates meet them.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tokenizer/jinja/budget.h"
#include "tokenizer/jinja/text.h"

namespace kern::jinja {

class Interpreter;
class Value;
struct Sequence;
class Dict;
class Object;

using TextPtr = std::shared_ptr<const Text>;
using SequencePtr = std::shared_ptr<const Sequence>;
using DictPtr = std::shared_ptr<const Dict>;
using ObjectPtr = std::shared_ptr<Object>;

struct Undefined {
  std::shared_ptr<const std::string> problem; // what using it is refused with
};
struct None {};

class Value {
public:
  Value() = default; // undefined
  Value(None none) : data_(none) {}
  Value(Undefined undefined) : data_(std::move(undefined)) {}
  Value(bool flag) : data_(flag) {}
  Value(std::int64_t number) : data_(number) {}
  Value(int number) : data_(std::int64_t{number}) {}
  Value(std::size_t number) : data_(static_cast<std::int64_t>(number)) {}
  Value(double number) : data_(number) {}
  Value(Text text) : data_(std::make_shared<const Text>(std::move(text))) {}
  Value(SequencePtr sequence) : data_(std::move(sequence)) {}
  Value(DictPtr dict) : data_(std::move(dict)) {}
  Value(ObjectPtr object) : data_(std::move(object)) {}
  Value(const char*) = delete; // would be a bool

  template <class T> bool is() const { return std::holds_alternative<T>(data_); }
  template <class T> const T* get_if() const { return std::get_if<T>(&data_); }
  bool is_text() const { return is<TextPtr>(); }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  const Text& text() const { return *std::get<TextPtr>(data_); }
  const Sequence& sequence() const { return *std::get<SequencePtr>(data_); }
  const Dict& dict() const { return *std::get<DictPtr>(data_); }
  const ObjectPtr& object() const { return std::get<ObjectPtr>(data_); }
  /// Of an integer or a bool, which is an integer too.
  std::optional<std::int64_t> integer() const;
  /// Of any number.
  std::optional<double> number() const;

private:
  std::variant<Undefined, None, bool, std::int64_t, double, TextPtr, SequencePtr, DictPtr, ObjectPtr> data_;
};

Value undefined(std::string problem);
Value make_text(std::string_view bytes);

struct Sequence {
  enum class Kind { list, tuple, group, range, keys, values, items, generator };
  Kind kind = Kind::list;
  std::vector<Value> elements;
  int depth = 1;                 // of containers within each other
  mutable std::size_t taken = 0; // elements of a generator that were already asked for

  bool is_tuple() const { return kind == Kind::tuple || kind == Kind::group; }
};

/// Of containers within each other. One that would be too deep is never made: throws Problem.
int depth_of(const Value& value);
int checked_depth(int depth);
Value make_sequence(std::vector<Value> elements, Budget& budget, Sequence::Kind kind = Sequence::Kind::list);

class Dict {
public:
  using Entry = std::pair<Value, Value>;
  /// Keeps the place of a key that is there already. Throws Problem for a key that Python can't hash.
  void set(Value key, Value value, Budget& budget);
  const Value* find(const Value& key, Budget& budget) const;
  const Value* find(std::string_view key) const;
  const std::vector<Entry>& entries() const { return entries_; }
  int depth() const { return depth_; }

private:
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_; // by what makes keys equal
  int depth_ = 1;
};

/// What a call is given.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// Functions, macros, bound methods, `loop`, namespaces and the like.
class Object {
public:
  virtual ~Object() = default;
  virtual std::optional<Value> attribute(std::string_view, Interpreter&) { return std::nullopt; }
  virtual bool callable() const { return false; }
  virtual Value call(Arguments&, Interpreter&);
  /// str() of it.
  virtual std::string describe() const = 0;
  /// Of containers within each other that it holds for good; 0 where the interpreter takes it apart at the end.
  virtual int depth() const { return 0; }
};

/// As Python names it: 'str', 'int'...
std::string_view type_name(const Value& value);
bool truth(const Value& value);
/// Python's ==; numbers of any type compare.
bool equal(const Value& a, const Value& b, Budget& budget);
/// Python's order; throws Problem where there is none.
std::partial_ordering compare(const Value& a, const Value& b, Budget& budget);

/// What `for` goes over: elements, keys, characters. Throws Problem where there is nothing to go over. Of a generator,
/// what hasn't been asked for yet.
std::vector<Value> iterate(const Value& value, Budget& budget);
bool iterable(const Value& value);
/// len(); throws Problem where there is none.
std::int64_t length(const Value& value, Budget& budget);

/// str(): what `{{ }}` prints.
Text to_text(const Value& value, Budget& budget);
/// repr(): how it is shown inside a list.
void write_repr(Text& out, const Value& value, Budget& budget);
std::string repr_float(double number);

/// json.dumps(). Throws Problem for what JSON has no form for.
struct JsonStyle {
  std::optional<std::string> indent; // of one level
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};
Text to_json(const Value& value, const JsonStyle& style, Budget& budget);

} // namespace kern::jinja
