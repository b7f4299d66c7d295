// Methods of texts.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "tokenizer/jinja/interpreter.h"

namespace kern::jinja {

namespace {

constexpr std::size_t npos = std::string_view::npos;

std::uint64_t limit_of(std::int64_t count) {
  return count < 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(count);
}

/// text[start:end] as find() and its kin take them, in bytes.
struct Window {
  std::size_t begin = 0, end = 0;
  bool empty = false; // start past the end: nothing is found, not even nothing
};

Window window_of(const Text& text, const Bound& bound, std::size_t first) {
  if (!bound.get(first) && !bound.get(first + 1)) return {0, text.size(), false};
  const std::vector<std::size_t> offsets = character_offsets(text.view());
  const auto length = static_cast<std::int64_t>(offsets.size()) - 1;
  const auto place = [&](std::size_t i, std::int64_t fallback) {
    std::int64_t at = bound.get(i) && !bound.get(i)->is_none() ? bound.integer(i, fallback) : fallback;
    if (at < 0) at = std::max<std::int64_t>(at + std::min<std::int64_t>(length, -at), at < -length ? 0 : at + length);
    return at;
  };
  const std::int64_t begin = place(first, 0);
  const std::int64_t end = std::min(place(first + 1, length), length);
  if (begin > length || begin > end) return {0, 0, true};
  return {offsets[static_cast<std::size_t>(begin)], offsets[static_cast<std::size_t>(end)], false};
}

Value split(Interpreter& interpreter, const Text& text, Arguments& arguments, bool from_right) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  const Text* separator = bound.text(0);
  std::uint64_t splits = limit_of(bound.integer(1, -1));
  const std::string_view view = text.view();
  interpreter.budget().bytes(view.size());
  std::vector<ByteRange> parts;
  if (separator) {
    if (separator->empty()) throw Problem("split: the separator is empty");
    std::size_t begin = 0, end = view.size();
    for (; splits > 0; --splits) {
      const std::string_view rest = view.substr(begin, end - begin);
      const std::size_t at = from_right ? rest.rfind(separator->view()) : rest.find(separator->view());
      if (at == npos) break;
      if (from_right) {
        parts.push_back({begin + at + separator->size(), end});
        end = begin + at;
      } else {
        parts.push_back({begin, begin + at});
        begin += at + separator->size();
      }
    }
    parts.push_back({begin, end});
  } else {
    // Words between white space; what is left over after the last split keeps its inner white space.
    std::vector<ByteRange> words;
    for (std::size_t at = 0; at < view.size();) {
      const Character c = character_at(view, at);
      if (is_space(c.code)) {
        at += c.size;
        continue;
      }
      std::size_t end = at;
      for (Character in = c; end < view.size() && !is_space((in = character_at(view, end)).code);) end += in.size;
      words.push_back({at, end});
      at = end;
    }
    if (words.size() > splits) {
      if (from_right) {
        const auto kept = words.end() - static_cast<std::ptrdiff_t>(splits);
        const ByteRange rest{0, (kept - 1)->end};
        words.erase(words.begin(), kept);
        words.insert(words.begin(), rest);
      } else {
        words.resize(static_cast<std::size_t>(splits) + 1);
        words.back().end = view.size();
      }
    }
    parts = std::move(words);
    from_right = false;
  }
  if (from_right) std::ranges::reverse(parts);
  std::vector<Value> values;
  for (const ByteRange& part : parts) values.push_back(interpreter.text(text.slice(part.begin, part.end)));
  return interpreter.list(std::move(values));
}

bool has_affix(std::string_view text, const Value& affix, bool at_start) {
  if (affix.is<SequencePtr>() && affix.sequence().is_tuple())
    return std::ranges::any_of(affix.sequence().elements,
                               [&](const Value& one) { return has_affix(text, one, at_start); });
  check_defined(affix);
  if (!affix.is_text()) throw Problem(fmt::format("found {}, expected a text or a tuple of texts", type_name(affix)));
  return at_start ? text.starts_with(affix.text().view()) : text.ends_with(affix.text().view());
}

Value find(Interpreter& interpreter, const Text& text, std::string_view name, Arguments& arguments) {
  const Bound bound(name, arguments, {"sub", "start", "end"}, 1);
  const Text* wanted = bound.text(0);
  if (!wanted) throw Problem(fmt::format("{}: expected a text", name));
  interpreter.budget().bytes(text.size());
  const Window window = window_of(text, bound, 1);
  const std::string_view view = text.view().substr(window.begin, window.end - window.begin);
  if (name == "count") {
    if (window.empty) return 0;
    if (wanted->empty()) return count_characters(view) + 1;
    std::int64_t count = 0;
    for (std::size_t at = 0; (at = view.find(wanted->view(), at)) != npos; at += wanted->size()) ++count;
    return count;
  }
  const std::size_t at = window.empty            ? npos
                         : name.starts_with('r') ? view.rfind(wanted->view())
                                                 : view.find(wanted->view());
  if (at != npos) return count_characters(text.view().substr(0, window.begin + at));
  if (name.ends_with("index")) throw Problem(fmt::format("{}: the text isn't there", name));
  return -1;
}

template <class Holds> bool every_character(std::string_view text, Holds holds) {
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    if (!holds(c.code)) return false;
    at += c.size;
  }
  return !text.empty();
}

/// isupper() and islower(): some letter has a case, and all that have one have this.
bool has_case(std::string_view text, bool upper_case) {
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    const bool is_upper = to_lower(c.code) != c.code;
    const bool is_lower = to_upper(c.code) != c.code;
    if (upper_case ? is_lower : is_upper) return false;
    any = any || is_upper || is_lower;
    at += c.size;
  }
  return any;
}

bool ask(const Text& text, std::string_view name) {
  const std::string_view view = text.view();
  if (name == "isdigit" || name == "isnumeric" || name == "isdecimal") return every_character(view, is_digit);
  if (name == "isalpha") return every_character(view, is_letter);
  if (name == "isalnum") return every_character(view, [](char32_t c) { return is_letter(c) || is_digit(c); });
  if (name == "isspace") return every_character(view, is_space);
  return has_case(view, name == "isupper");
}

Value pad(Interpreter& interpreter, const Text& text, std::string_view name, Arguments& arguments) {
  const Bound bound(name, arguments, {"width", "fillchar"}, 1);
  const Text* given = bound.text(1);
  const Text fill = given ? *given : Text(name == "zfill" ? "0" : " ");
  if (count_characters(fill.view()) != 1) throw Problem(fmt::format("{}: expected one character to fill with", name));
  const std::int64_t missing = bound.integer(0, 0) - static_cast<std::int64_t>(count_characters(text.view()));
  if (missing <= 0) return text;
  interpreter.budget().bytes(static_cast<std::uint64_t>(missing) * fill.size());
  // Python puts the odd one left of texts whose width is odd.
  const std::int64_t left = name == "ljust"    ? 0
                            : name == "center" ? missing / 2 + (missing & bound.integer(0, 0) & 1)
                                               : missing;
  Text out;
  std::size_t from = 0;
  if (name == "zfill" && !text.empty() && (text.view()[0] == '-' || text.view()[0] == '+'))
    out.append(text, 0, from = 1);
  for (std::int64_t i = 0; i < left; ++i) out.append(fill);
  out.append(text, from, text.size());
  for (std::int64_t i = left; i < missing; ++i) out.append(fill);
  return interpreter.text(std::move(out));
}

Value partition(Interpreter& interpreter, const Text& text, Arguments& arguments) {
  const Bound bound("partition", arguments, {"sep"}, 1);
  const Text* separator = bound.text(0);
  if (!separator || separator->empty()) throw Problem("partition: expected a separator");
  const std::size_t at = text.view().find(separator->view());
  if (at == npos) return interpreter.list({text, Text(), Text()}, Sequence::Kind::tuple);
  const std::size_t end = at + separator->size();
  return interpreter.list({text.slice(0, at), text.slice(at, end), text.slice(end, text.size())},
                          Sequence::Kind::tuple);
}

Value without_affix(const Text& text, std::string_view name, Arguments& arguments) {
  const Bound bound(name, arguments, {"affix"}, 1);
  const Text* affix = bound.text(0);
  if (!affix) throw Problem(fmt::format("{}: expected a text", name));
  if (name == "removeprefix" && text.view().starts_with(affix->view())) return text.slice(affix->size(), text.size());
  if (name == "removesuffix" && text.view().ends_with(affix->view())) return text.slice(0, text.size() - affix->size());
  return text;
}

} // namespace

Text replace(const Text& text, const Text& old, const Text& by, std::int64_t count, Budget& budget) {
  const std::string_view view = text.view();
  budget.bytes(view.size());
  Text out;
  std::size_t done = 0;
  std::uint64_t left = limit_of(count);
  for (std::size_t at = 0; left > 0 && (at = view.find(old.view(), at)) != npos; --left) {
    budget.bytes(by.size() + 1);
    out.append(text, done, at).append(by);
    done = at + old.size();
    at = done;
    if (!old.empty()) continue;
    if (at >= view.size()) break;
    at += character_at(view, at).size; // between all characters
  }
  return out.append(text, done, view.size());
}

Text join(const Text& separator, const std::vector<Value>& elements, Interpreter& interpreter) {
  Text out;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    interpreter.budget().bytes(separator.size());
    if (i) out.append(separator);
    out.append(interpreter.to_text(elements[i]));
  }
  return out;
}

std::vector<Value> split_lines(const Text& text, bool keep_ends) {
  std::vector<Value> lines;
  const std::string_view view = text.view();
  std::size_t begin = 0;
  for (std::size_t at = 0; at < view.size();) {
    const Character c = character_at(view, at);
    std::size_t end = at + c.size;
    const bool breaks = (c.code >= 10 && c.code <= 13) || (c.code >= 0x1C && c.code <= 0x1E) || c.code == 0x85 ||
                        c.code == 0x2028 || c.code == 0x2029;
    if (breaks) {
      if (c.code == '\r' && end < view.size() && view[end] == '\n') ++end;
      lines.push_back(text.slice(begin, keep_ends ? end : at));
      begin = end;
    }
    at = end;
  }
  if (begin < view.size()) lines.push_back(text.slice(begin, view.size()));
  return lines;
}

Value call_text_method(Interpreter& interpreter, const Text& text, std::string_view name, Arguments& arguments) {
  Budget& budget = interpreter.budget();
  if (name == "format") return interpreter.text(format_braces(interpreter, text, arguments));
  if (name == "split" || name == "rsplit") return split(interpreter, text, arguments, name == "rsplit");
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    const Bound bound(name, arguments, {"chars"});
    return interpreter.text(strip(text,
                                  name == "strip"    ? Ends::both
                                  : name == "lstrip" ? Ends::left
                                                     : Ends::right,
                                  bound.text(0)));
  }
  if (name == "startswith" || name == "endswith") {
    const Bound bound(name, arguments, {"affix", "start", "end"}, 1);
    const Window window = window_of(text, bound, 1);
    return !window.empty &&
           has_affix(text.view().substr(window.begin, window.end - window.begin), *bound.get(0), name == "startswith");
  }
  if (name == "replace") {
    const Bound bound(name, arguments, {"old", "new", "count"}, 2);
    if (!bound.text(0) || !bound.text(1)) throw Problem("replace: expected two texts");
    return interpreter.text(replace(text, *bound.text(0), *bound.text(1), bound.integer(2, -1), budget));
  }
  if (name == "join") {
    const Bound bound(name, arguments, {"iterable"}, 1);
    const std::vector<Value> elements = iterate(*bound.get(0), budget);
    for (const Value& element : elements) {
      check_defined(element);
      if (!element.is_text()) throw Problem(fmt::format("join: found {}, expected texts", type_name(element)));
    }
    return interpreter.text(join(text, elements, interpreter));
  }
  if (name.ends_with("find") || name.ends_with("index") || name == "count")
    return find(interpreter, text, name, arguments);
  if (name == "center" || name == "ljust" || name == "rjust" || name == "zfill")
    return pad(interpreter, text, name, arguments);
  if (name.starts_with("remove")) return without_affix(text, name, arguments);
  if (name == "partition") return partition(interpreter, text, arguments);
  if (name == "splitlines") {
    const Bound bound(name, arguments, {"keepends"});
    budget.bytes(text.size() * 2);
    return interpreter.list(split_lines(text, bound.flag(0, false)));
  }
  const Bound none(name, arguments, {});
  budget.bytes(text.size() * 2);
  if (name == "upper") return interpreter.text(upper(text));
  if (name == "lower" || name == "casefold") return interpreter.text(lower(text));
  if (name == "title") return interpreter.text(title(text));
  if (name == "capitalize") return interpreter.text(capitalize(text));
  if (name == "swapcase") return interpreter.text(swap_case(text));
  return ask(text, name);
}

} // namespace kern::jinja
