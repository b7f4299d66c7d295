// Filters over lists and dicts.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

namespace {

Value generator(Interpreter& interpreter, std::vector<Value> elements) {
  return interpreter.list(std::move(elements), Sequence::Kind::generator);
}

/// 'a.b.0' of an element, as `attribute=` of filters names it; the element itself where it is empty or None.
class AttributePath {
public:
  AttributePath(const Value* path, const Value* fallback) : fallback_(fallback) {
    if (!path || path->is_none()) return;
    if (!path->is_text()) {
      parts_.push_back(*path);
      return;
    }
    std::string_view rest = path->text().view();
    for (bool more = true; more;) {
      const std::size_t dot = rest.find('.');
      const std::string_view part = rest.substr(0, dot);
      const bool number =
          !part.empty() && part.size() < 9 && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
      parts_.push_back(number ? Value(std::stoi(std::string(part))) : make_text(part));
      more = dot != std::string_view::npos;
      if (more) rest.remove_prefix(dot + 1);
    }
  }

  Value of(const Value& element, Interpreter& interpreter) const {
    Value value = element;
    for (const Value& part : parts_) {
      value = interpreter.item(value, part);
      if (value.is_undefined() && fallback_) value = *fallback_;
    }
    return value;
  }

private:
  std::vector<Value> parts_;
  const Value* fallback_;
};

/// What sorting and comparing filters compare: texts without regard to case, unless asked to.
Value sort_key(const Value& value, bool case_sensitive) {
  return value.is_text() && !case_sensitive ? Value(lower(value.text())) : value;
}

struct Keyed {
  Value element;
  std::vector<Value> keys;
};

void sort_by_keys(std::vector<Keyed>& all, bool reverse, Budget& budget) {
  budget.step(all.size() * 8);
  const auto less = [&](const Keyed& a, const Keyed& b) {
    for (std::size_t i = 0; i < a.keys.size(); ++i)
      if (!equal(a.keys[i], b.keys[i], budget)) return compare(a.keys[i], b.keys[i], budget) < 0;
    return false;
  };
  if (reverse) std::stable_sort(all.begin(), all.end(), [&](const Keyed& a, const Keyed& b) { return less(b, a); });
  else std::stable_sort(all.begin(), all.end(), less);
}

std::vector<Value> elements_of(const std::vector<Keyed>& all) {
  std::vector<Value> elements;
  for (const Keyed& one : all) elements.push_back(one.element);
  return elements;
}

Value sort(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<AttributePath> paths;
  std::vector<Value> names;
  if (const Value* given = bound.get(2); given && given->is_text()) {
    Arguments comma;
    comma.positional.push_back(make_text(","));
    names = iterate(call_text_method(interpreter, given->text(), "split", comma), interpreter.budget());
  } else {
    names.push_back(given ? *given : Value(None{}));
  }
  for (const Value& name : names) paths.emplace_back(&name, nullptr);
  std::vector<Keyed> all;
  for (const Value& element : iterate(value, interpreter.budget())) {
    Keyed keyed{element, {}};
    for (const AttributePath& path : paths)
      keyed.keys.push_back(sort_key(path.of(element, interpreter), bound.flag(1, false)));
    all.push_back(std::move(keyed));
  }
  sort_by_keys(all, bound.flag(0, false), interpreter.budget());
  return interpreter.list(elements_of(all));
}

Value dict_sort(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string_view by = bound.text(1) ? bound.text(1)->view() : "key";
  if (by != "key" && by != "value") throw Problem("dictsort: 'by' is key or value");
  check_defined(value);
  if (!value.is<DictPtr>()) throw Problem(fmt::format("dictsort: found {}, expected a dict", type_name(value)));
  std::vector<Keyed> all;
  for (const auto& [key, element] : value.dict().entries())
    all.push_back({interpreter.list({key, element}, Sequence::Kind::tuple),
                   {sort_key(by == "key" ? key : element, bound.flag(0, false))}});
  sort_by_keys(all, bound.flag(2, false), interpreter.budget());
  return interpreter.list(elements_of(all));
}

Value group_by(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(bound.get(0), bound.get(1));
  std::vector<Keyed> all;
  for (const Value& element : iterate(value, interpreter.budget()))
    all.push_back({element, {sort_key(path.of(element, interpreter), bound.flag(2, false))}});
  sort_by_keys(all, false, interpreter.budget());
  std::vector<Value> groups;
  for (std::size_t begin = 0; begin < all.size();) {
    std::vector<Value> members;
    std::size_t end = begin;
    for (; end < all.size() && equal(all[end].keys[0], all[begin].keys[0], interpreter.budget()); ++end)
      members.push_back(all[end].element);
    if (end == begin) members.push_back(all[end++].element); // NaN, which equals nothing
    const Value name = path.of(all[begin].element, interpreter);
    groups.push_back(interpreter.list({name, interpreter.list(std::move(members))}, Sequence::Kind::group));
    begin = end;
  }
  return interpreter.list(std::move(groups));
}

template <bool largest> Value extreme(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound(largest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(bound.get(1), nullptr);
  std::optional<Keyed> best;
  for (const Value& element : iterate(value, interpreter.budget())) {
    Keyed one{element, {sort_key(path.of(element, interpreter), bound.flag(0, false))}};
    const bool better = !best || (largest ? compare(one.keys[0], best->keys[0], interpreter.budget()) > 0
                                          : compare(one.keys[0], best->keys[0], interpreter.budget()) < 0);
    if (better) best = std::move(one);
  }
  return best ? best->element : undefined("no element to choose: the list is empty");
}

Value unique(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(bound.get(1), nullptr);
  Dict seen;
  std::vector<Value> elements;
  for (const Value& element : iterate(value, interpreter.budget())) {
    const Value key = sort_key(path.of(element, interpreter), bound.flag(0, false));
    if (seen.find(key, interpreter.budget())) continue;
    seen.set(key, true, interpreter.budget());
    elements.push_back(element);
  }
  return generator(interpreter, std::move(elements));
}

Value sum(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  const AttributePath path(bound.get(0), nullptr);
  Value total = bound.get(1) ? *bound.get(1) : Value(0);
  if (total.is_text()) throw Problem("sum: texts can't be added up, use join");
  for (const Value& element : iterate(value, interpreter.budget()))
    total = apply_operator("+", total, path.of(element, interpreter), interpreter.budget());
  return total;
}

Value join_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const AttributePath path(bound.get(1), nullptr);
  std::vector<Value> elements;
  for (const Value& element : iterate(value, interpreter.budget())) elements.push_back(path.of(element, interpreter));
  const Text separator = bound.get(0) ? interpreter.to_text(*bound.get(0)) : Text();
  return interpreter.text(join(separator, elements, interpreter));
}

Value first(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("first", arguments, {});
  if (value.is<SequencePtr>()) {
    const Sequence& sequence = value.sequence();
    if (sequence.taken >= sequence.elements.size()) return undefined("no first item: the list is empty");
    const Value element = sequence.elements[sequence.taken];
    if (sequence.kind == Sequence::Kind::generator) ++sequence.taken;
    return element;
  }
  const std::vector<Value> elements = iterate(value, interpreter.budget());
  return elements.empty() ? undefined("no first item: the list is empty") : elements.front();
}

Value last(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("last", arguments, {});
  if (value.is<SequencePtr>() && value.sequence().kind == Sequence::Kind::generator)
    throw Problem("last: a generator has no end to begin from; use list first");
  const std::vector<Value> elements = iterate(value, interpreter.budget());
  return elements.empty() ? undefined("no last item: the list is empty") : elements.back();
}

Value length_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("length", arguments, {});
  return length(value, interpreter.budget());
}

Value list_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("list", arguments, {});
  return interpreter.list(iterate(value, interpreter.budget()));
}

Value reverse(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("reverse", arguments, {});
  std::vector<Value> elements = iterate(value, interpreter.budget());
  std::ranges::reverse(elements);
  if (value.is_text()) return interpreter.text(join(Text(), elements, interpreter));
  return generator(interpreter, std::move(elements));
}

Value items(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound none("items", arguments, {});
  std::vector<Value> pairs;
  if (!value.is_undefined() && !value.is<DictPtr>())
    throw Problem(fmt::format("items: found {}, expected a dict", type_name(value)));
  if (value.is<DictPtr>())
    for (const auto& [key, element] : value.dict().entries())
      pairs.push_back(interpreter.list({key, element}, Sequence::Kind::tuple));
  return generator(interpreter, std::move(pairs));
}

Value default_filter(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool replaced = value.is_undefined() || (bound.flag(1, false) && !truth(value));
  if (!replaced) return value;
  return bound.get(0) ? *bound.get(0) : make_text("");
}

Value attribute_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("attr", arguments, {"name"}, 1);
  check_defined(value);
  const std::string name(interpreter.to_text(*bound.get(0)).view());
  // Python's attributes only, not the keys of a dict.
  if (value.is<DictPtr>()) {
    if (auto method = find_method(value, name)) return *method;
    return undefined(fmt::format("'dict object' has no attribute '{}'", name));
  }
  return interpreter.attribute(value, name);
}

Value batch(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t count = bound.integer(0, 1);
  if (count < 1) throw Problem("batch: expected a positive number");
  std::vector<Value> batches;
  std::vector<Value> row;
  for (const Value& element : iterate(value, interpreter.budget())) {
    if (static_cast<std::int64_t>(row.size()) == count) batches.push_back(interpreter.list(std::exchange(row, {})));
    row.push_back(element);
  }
  if (!row.empty()) {
    if (const Value* fill = bound.get(1); fill && !fill->is_none())
      while (static_cast<std::int64_t>(row.size()) < count) {
        interpreter.budget().bytes(sizeof(Value));
        row.push_back(*fill);
      }
    batches.push_back(interpreter.list(std::move(row)));
  }
  return generator(interpreter, std::move(batches));
}

Value slice_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"}, 1);
  const std::vector<Value> all = iterate(value, interpreter.budget());
  const std::int64_t count = bound.integer(0, 1);
  if (count < 1) throw Problem("slice: expected a positive number");
  interpreter.budget().step(static_cast<std::uint64_t>(count));
  const auto size = static_cast<std::int64_t>(all.size());
  std::vector<Value> slices;
  std::ptrdiff_t begin = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool longer = i < size % count;
    const std::ptrdiff_t end = begin + size / count + (longer ? 1 : 0);
    std::vector<Value> part(all.begin() + begin, all.begin() + end);
    if (const Value* fill = bound.get(1); fill && !fill->is_none() && !longer) part.push_back(*fill);
    slices.push_back(interpreter.list(std::move(part)));
    begin = end;
  }
  return generator(interpreter, std::move(slices));
}

/// The first argument of map, select and their kin, taken off the others.
std::string take_name(std::string_view filter, Arguments& arguments) {
  if (arguments.positional.empty() || !arguments.positional[0].is_text())
    throw Problem(fmt::format("{}: expected a name", filter));
  std::string name(arguments.positional[0].text().view());
  arguments.positional.erase(arguments.positional.begin());
  return name;
}

Value map_filter(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  std::vector<Value> results;
  if (arguments.positional.empty() && !arguments.named.empty()) {
    const Bound bound("map", arguments, {"attribute", "default"}, 1);
    const AttributePath path(bound.get(0), bound.get(1));
    for (const Value& element : iterate(value, interpreter.budget())) results.push_back(path.of(element, interpreter));
    return generator(interpreter, std::move(results));
  }
  const std::string name = take_name("map", arguments);
  for (const Value& element : iterate(value, interpreter.budget())) {
    Arguments copy = arguments;
    interpreter.budget().step(arguments.positional.size() + 1);
    results.push_back(apply_filter(name, interpreter, element, copy));
  }
  return generator(interpreter, std::move(results));
}

template <bool wanted, bool by_attribute>
Value choose(Interpreter& interpreter, const Value& value, Arguments& arguments) {
  Value path_name = None{};
  if constexpr (by_attribute) {
    if (arguments.positional.empty()) throw Problem("selectattr: expected the name of an attribute");
    path_name = arguments.positional[0];
    arguments.positional.erase(arguments.positional.begin());
  }
  const AttributePath path(&path_name, nullptr);
  const bool has_test = !arguments.positional.empty();
  const std::string test = has_test ? take_name("select", arguments) : "";
  std::vector<Value> kept;
  for (const Value& element : iterate(value, interpreter.budget())) {
    const Value tested = path.of(element, interpreter);
    Arguments copy = arguments;
    interpreter.budget().step(arguments.positional.size() + 1);
    if ((has_test ? apply_test(test, interpreter, tested, copy) : truth(tested)) == wanted) kept.push_back(element);
  }
  return generator(interpreter, std::move(kept));
}

} // namespace

Filter find_sequence_filter(std::string_view name) {
  static const std::map<std::string_view, Filter> filters = {
      {"attr", attribute_filter},
      {"batch", batch},
      {"count", length_filter},
      {"d", default_filter},
      {"default", default_filter},
      {"dictsort", dict_sort},
      {"first", first},
      {"groupby", group_by},
      {"items", items},
      {"join", join_filter},
      {"last", last},
      {"length", length_filter},
      {"list", list_filter},
      {"map", map_filter},
      {"max", extreme<true>},
      {"min", extreme<false>},
      {"reject", choose<false, false>},
      {"rejectattr", choose<false, true>},
      {"reverse", reverse},
      {"select", choose<true, false>},
      {"selectattr", choose<true, true>},
      {"slice", slice_filter},
      {"sort", sort},
      {"sum", sum},
      {"unique", unique},
  };
  const auto place = filters.find(name);
  return place == filters.end() ? nullptr : place->second;
}

Filter find_filter(std::string_view name) {
  const Filter filter = find_text_filter(name);
  return filter ? filter : find_sequence_filter(name);
}

Value apply_filter(std::string_view name, Interpreter& interpreter, const Value& value, Arguments& arguments) {
  const Filter filter = find_filter(name);
  if (!filter) throw Problem(fmt::format("there is no filter '{}'", name));
  interpreter.budget().step();
  return filter(interpreter, value, arguments);
}

} // namespace kern::jinja
