#include "tokenizer/jinja/value.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace kern::jinja {

namespace {

constexpr int deepest = 150;

/// Equal for keys that Python takes for the same.
std::string key_of(const Value& key, Budget& budget) {
  budget.step();
  if (key.is_text()) {
    budget.bytes(key.text().size());
    return "s" + std::string(key.text().view());
  }
  if (key.is_none()) return "n";
  if (const auto number = key.integer()) return fmt::format("i{}", *number);
  if (const auto number = key.number()) {
    if (std::abs(*number) < 9e18 && std::trunc(*number) == *number)
      return fmt::format("i{}", static_cast<std::int64_t>(*number));
    return fmt::format("f{}", *number);
  }
  if (key.is<SequencePtr>() && key.sequence().is_tuple()) {
    std::string name = "t";
    for (const Value& element : key.sequence().elements) {
      const std::string part = key_of(element, budget);
      budget.bytes(part.size());
      name += fmt::format("{}:{}", part.size(), part);
    }
    return name;
  }
  throw Problem(fmt::format("a {} can't be the key of a dict", type_name(key)));
}

template <class Elements, class Compare>
std::partial_ordering compare_elements(const Elements& a, const Elements& b, Budget& budget, Compare compare_two) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (!equal(a[i], b[i], budget)) return compare_two(a[i], b[i]);
  return a.size() <=> b.size();
}

} // namespace

int depth_of(const Value& value) {
  if (const auto* sequence = value.get_if<SequencePtr>()) return (*sequence)->depth;
  if (const auto* dict = value.get_if<DictPtr>()) return (*dict)->depth();
  if (const auto* object = value.get_if<ObjectPtr>()) return (*object)->depth();
  return 0;
}

int checked_depth(int depth) {
  if (depth > deepest) throw Problem("values are nested too deeply");
  return depth;
}

TemplateError::TemplateError(int line_, std::string problem_)
    : std::runtime_error(fmt::format("line {}: {}", line_, problem_)), line(line_), problem(std::move(problem_)) {}

std::optional<std::int64_t> Value::integer() const {
  if (const bool* flag = get_if<bool>()) return *flag ? 1 : 0;
  if (const std::int64_t* number = get_if<std::int64_t>()) return *number;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const double* number = get_if<double>()) return *number;
  if (const auto number = integer()) return static_cast<double>(*number);
  return std::nullopt;
}

Value undefined(std::string problem) { return Undefined{std::make_shared<const std::string>(std::move(problem))}; }

Value make_text(std::string_view bytes) { return Text(std::string(bytes)); }

Value make_sequence(std::vector<Value> elements, Budget& budget, Sequence::Kind kind) {
  budget.bytes(elements.size() * sizeof(Value) + sizeof(Sequence));
  auto sequence = std::make_shared<Sequence>();
  sequence->kind = kind;
  for (const Value& element : elements) sequence->depth = std::max(sequence->depth, depth_of(element) + 1);
  checked_depth(sequence->depth);
  sequence->elements = std::move(elements);
  return SequencePtr(std::move(sequence));
}

void Dict::set(Value key, Value value, Budget& budget) {
  std::string name = key_of(key, budget);
  budget.bytes(sizeof(Entry) + name.size() + 64);
  depth_ = checked_depth(std::max({depth_, depth_of(key) + 1, depth_of(value) + 1}));
  const auto [place, added] = index_.try_emplace(std::move(name), entries_.size());
  if (added) entries_.emplace_back(std::move(key), std::move(value));
  else entries_[place->second].second = std::move(value);
}

const Value* Dict::find(const Value& key, Budget& budget) const {
  const auto place = index_.find(key_of(key, budget));
  return place == index_.end() ? nullptr : &entries_[place->second].second;
}

const Value* Dict::find(std::string_view key) const {
  const auto place = index_.find("s" + std::string(key));
  return place == index_.end() ? nullptr : &entries_[place->second].second;
}

Value Object::call(Arguments&, Interpreter&) { throw Problem(fmt::format("{} can't be called", describe())); }

std::string_view type_name(const Value& value) {
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "None";
  if (value.is<bool>()) return "bool";
  if (value.is<std::int64_t>()) return "int";
  if (value.is<double>()) return "float";
  if (value.is_text()) return "str";
  if (value.is<DictPtr>()) return "dict";
  if (value.is<ObjectPtr>()) return "object";
  switch (value.sequence().kind) {
  case Sequence::Kind::list: return "list";
  case Sequence::Kind::range: return "range";
  case Sequence::Kind::keys: return "dict_keys";
  case Sequence::Kind::values: return "dict_values";
  case Sequence::Kind::items: return "dict_items";
  case Sequence::Kind::generator: return "generator";
  default: return "tuple";
  }
}

bool truth(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const auto number = value.number()) return *number != 0;
  if (value.is_text()) return !value.text().empty();
  if (value.is<DictPtr>()) return !value.dict().entries().empty();
  if (value.is<SequencePtr>())
    return value.sequence().kind == Sequence::Kind::generator || !value.sequence().elements.empty();
  return true;
}

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.step();
  if (a.is_text() && b.is_text()) {
    budget.step(std::min(a.text().size(), b.text().size()) / 64);
    return a.text().view() == b.text().view();
  }
  if (a.integer() && b.integer()) return *a.integer() == *b.integer();
  if (a.number() && b.number()) return *a.number() == *b.number();
  if (a.is<SequencePtr>() && b.is<SequencePtr>()) {
    const Sequence& left = a.sequence();
    const Sequence& right = b.sequence();
    if (&left == &right) return true;
    if (left.kind == Sequence::Kind::generator || (left.is_tuple() ? !right.is_tuple() : left.kind != right.kind))
      return false;
    return left.elements.size() == right.elements.size() &&
           std::equal(left.elements.begin(), left.elements.end(), right.elements.begin(),
                      [&](const Value& x, const Value& y) { return equal(x, y, budget); });
  }
  if (a.is<DictPtr>() && b.is<DictPtr>()) {
    if (&a.dict() == &b.dict()) return true;
    if (a.dict().entries().size() != b.dict().entries().size()) return false;
    return std::ranges::all_of(a.dict().entries(), [&](const Dict::Entry& entry) {
      const Value* other = b.dict().find(entry.first, budget);
      return other && equal(entry.second, *other, budget);
    });
  }
  if (a.is<ObjectPtr>() && b.is<ObjectPtr>()) return a.object() == b.object();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

std::partial_ordering compare(const Value& a, const Value& b, Budget& budget) {
  budget.step();
  if (a.is_text() && b.is_text()) {
    budget.step(std::min(a.text().size(), b.text().size()) / 64);
    return a.text().view() <=> b.text().view();
  }
  if (a.integer() && b.integer()) return *a.integer() <=> *b.integer();
  if (a.number() && b.number()) return *a.number() <=> *b.number();
  if (a.is<SequencePtr>() && b.is<SequencePtr>() &&
      (a.sequence().is_tuple()
           ? b.sequence().is_tuple()
           : a.sequence().kind == Sequence::Kind::list && b.sequence().kind == Sequence::Kind::list))
    return compare_elements(a.sequence().elements, b.sequence().elements, budget,
                            [&](const Value& x, const Value& y) { return compare(x, y, budget); });
  for (const Value* value : {&a, &b})
    if (const auto* missing = value->get_if<Undefined>())
      throw Problem(missing->problem ? *missing->problem : "an undefined value can't be compared");
  throw Problem(fmt::format("{} and {} have no order", type_name(a), type_name(b)));
}

bool iterable(const Value& value) {
  return value.is_undefined() || value.is_text() || value.is<SequencePtr>() || value.is<DictPtr>();
}

std::vector<Value> iterate(const Value& value, Budget& budget) {
  std::vector<Value> elements;
  if (value.is_undefined()) return elements;
  if (value.is<SequencePtr>()) {
    const Sequence& sequence = value.sequence();
    budget.bytes(sequence.elements.size() * sizeof(Value));
    elements.assign(sequence.elements.begin() + static_cast<std::ptrdiff_t>(sequence.taken), sequence.elements.end());
    if (sequence.kind == Sequence::Kind::generator) sequence.taken = sequence.elements.size();
    return elements;
  }
  if (value.is<DictPtr>()) {
    budget.bytes(value.dict().entries().size() * sizeof(Value));
    for (const Dict::Entry& entry : value.dict().entries()) elements.push_back(entry.first);
    return elements;
  }
  if (value.is_text()) {
    const Text& text = value.text();
    budget.bytes(text.size() * (sizeof(Value) + sizeof(Text)));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = at + character_at(text.view(), at).size;
      elements.push_back(text.slice(at, end));
      at = end;
    }
    return elements;
  }
  throw Problem(fmt::format("found {}, expected something to go over: a list, dict or text", type_name(value)));
}

std::int64_t length(const Value& value, Budget& budget) {
  if (value.is_undefined()) return 0;
  if (value.is_text()) {
    budget.step(value.text().size() / 64);
    return static_cast<std::int64_t>(count_characters(value.text().view()));
  }
  if (value.is<DictPtr>()) return static_cast<std::int64_t>(value.dict().entries().size());
  if (value.is<SequencePtr>() && value.sequence().kind != Sequence::Kind::generator)
    return static_cast<std::int64_t>(value.sequence().elements.size());
  throw Problem(fmt::format("{} has no length", type_name(value)));
}

} // namespace kern::jinja
