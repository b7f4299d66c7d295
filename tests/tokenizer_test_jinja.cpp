// The Jinja interpreter: against what Python's jinja2 renders, and against templates that mean harm.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/json_values.h"
#include "tests/fixtures.h"
#include "tokenizer/jinja/template.h"

namespace kern {
namespace {

using Json = nlohmann::ordered_json;

jinja::RenderOptions fixed_clock() {
  jinja::RenderOptions options;
  options.now = {2026, 1, 2, 3, 4, 5};
  return options;
}

/// The text, or "error: line N: PROBLEM".
std::string render(const std::string& source, const Json& variables = Json::object()) {
  try {
    return std::string(jinja::Template(source).render(to_variables(variables), fixed_clock()).view());
  } catch (const jinja::TemplateError& error) {
    return std::string("error: ") + error.what();
  }
}

/// What `marks` came from a message, in brackets.
std::string show_marks(const std::string& source, const Json& variables) {
  const jinja::Text text = jinja::Template(source).render(to_variables(variables), fixed_clock());
  std::string shown;
  std::size_t done = 0;
  for (const jinja::ByteRange& range : text.marks()) {
    shown += std::string(text.view().substr(done, range.begin - done)) + "[";
    shown += std::string(text.view().substr(range.begin, range.end - range.begin)) + "]";
    done = range.end;
  }
  return shown + std::string(text.view().substr(done));
}

bool fails(const std::string& source, const std::string& part) {
  const std::string result = render(source);
  CHECK_MESSAGE(result.find('\n') == std::string::npos, result.substr(0, 300));
  return result.starts_with("error: line ") && result.find(part) != std::string::npos;
}

TEST_CASE("small templates render as with transformers") {
  for (const char* name : {"lexing", "statements", "expressions", "filters", "methods"}) {
    const Json file = Json::parse(std::ifstream(test::data_path(std::string("templates/") + name + ".json")));
    CHECK(file.at("cases").size() > 30);
    for (const Json& one : file.at("cases")) {
      const std::string source = one.at("template");
      CAPTURE(source);
      const std::string result = render(source, file.at("variables"));
      if (one.contains("error")) CHECK(result.starts_with("error: line "));
      else CHECK(result == one.at("output").get<std::string>());
    }
  }
}

TEST_CASE("real templates render byte for byte") {
  const std::filesystem::path data = test::real_data();
  if (data.empty()) return;
  const std::filesystem::path folder = data / "templates";
  const Json cases = Json::parse(std::ifstream(folder / "cases.json"));
  int templates = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    ++templates;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string source{std::istreambuf_iterator<char>(in), {}};
    const Json expected = Json::parse(std::ifstream(folder / (entry.path().stem().string() + ".expected.json")));
    for (const auto& item : cases.items()) {
      const std::string& name = item.key();
      const Json& variables = item.value();
      CAPTURE(entry.path().string());
      CAPTURE(name);
      const std::string result = render(source, variables);
      if (expected.at(name).is_string()) {
        CHECK(result == expected.at(name).get<std::string>());
        continue;
      }
      // "TYPE: MESSAGE"
      const std::string error = expected.at(name).at("error");
      const std::string message = error.substr(error.find(": ") + 2);
      CHECK(result.starts_with("error: line "));
      CHECK(result.find(message.substr(0, message.size() - 1)) != std::string::npos);
    }
  }
  CHECK(templates > 20);
}

TEST_CASE("what came from a message stays known through every operation") {
  const Json variables = {
      {"messages", {{{"role", "user"}, {"content", " Hi <x>\n"}}}}, {"bos_token", "<s>"}, {"items", {"b", "a"}}};
  const auto marks = [&](const std::string& source) {
    return show_marks("{% set c = messages[0].content %}{% set t = c | trim %}" + source, variables);
  };
  CHECK(marks("{{ bos_token }}{{ messages[0].role }}:{{ t }}.") == "<s>user:[Hi <x>].");
  CHECK(marks("{{ '<' + t + '>' ~ t ~ 1 }}") == "<[Hi <x>]>[Hi <x>]1");
  CHECK(marks("{{ t[1:4] }}|{{ t[::-1] }}|{{ t[0] }}|{{ t * 2 }}") == "[i <]|[>x< iH]|[H]|[Hi <x>Hi <x>]");
  CHECK(marks("{{ t.replace('H', 'J') }}|{{ 'aHb'.replace('H', t) }}") == "J[i <x>]|a[Hi <x>]b");
  CHECK(marks("{{ t | replace('i', '!') }}|{{ ('-' + t + '-').strip('-') }}") == "[H]![ <x>]|[Hi <x>]");
  CHECK(marks("{{ t.split(' ') | join('+') }}|{{ t.split() }}") == "[Hi]+[<x>]|['[Hi]', '[<x>]']");
  CHECK(marks("{{ items | join(t) }}|{{ items | sort | join }}") == "[bHi <x>a]|[ab]");
  CHECK(marks("{{ t | upper }}{{ t.lower() }}{{ t | title }}{{ t | capitalize }}") == "[HI <X>hi <x>Hi <X>Hi <x>]");
  CHECK(marks("{{ {'k': c} | tojson }}") == "{\"k\": \"[ Hi <x>\\n]\"}");
  CHECK(marks("{{ {t: 1} | tojson }}{{ {'k': t} }}") == "{\"[Hi <x>]\": 1}{'k': '[Hi <x>]'}");
  CHECK(marks("{{ messages[0] | tojson }}") == "{\"[role]\": \"user\", \"[content]\": \"[ Hi <x>\\n]\"}");
  CHECK(marks("{{ '%s-%s' % (t, 1) }}|{{ '{}:{:>8}'.format(1, t) }}|{{ '<%s>' | format(t) }}") ==
        "[Hi <x>]-1|1:  [Hi <x>]|<[Hi <x>]>");
  CHECK(marks("{{ t | indent(2, true) }}|{{ t | e }}|{{ t | urlencode }}") ==
        "  [Hi <x>]|[Hi &lt;x&gt;]|[Hi%20%3Cx%3E]");
  CHECK(marks("{% set b %}({{ t }}){% endset %}{{ b }}{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(t) }}") ==
        "([Hi <x>])<[Hi <x>]>");
  CHECK(marks("{% filter upper %}a{{ t }}{% endfilter %}") == "A[HI <X>]");
  CHECK(marks("{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}") ==
        "[role]=user;[content]=[ Hi <x>\n];");
}

TEST_CASE("errors say the line, on one line") {
  CHECK(fails("a\nb\n{{ missing.x }}", "line 3: 'missing' is undefined"));
  CHECK(fails("{% if true %}\n\n{{ raise_exception('no\nnews') }}{% endif %}", "line 3: no news"));
  CHECK(fails("{{ {}.a.b }}", "'dict object' has no attribute 'a'"));
  CHECK(fails("x\n{% include 'y' %}", "line 2"));
  CHECK(fails("{% for x in [1] %}\n{{ x }", "line 2"));
  CHECK(fails("{{ [].append(1) }}", "access to attribute 'append' of 'list' object is unsafe"));
  CHECK(fails("{{ 'a' | nosuch }}", "there is no filter 'nosuch'"));
}

TEST_CASE("templates can't work, nest or grow without end") {
  const auto repeat = [](std::string_view text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  CHECK(fails("{{ " + repeat("(", 100'000) + "1" + repeat(")", 100'000) + " }}", "nested too deeply"));
  CHECK(fails("{{ " + repeat("[", 100'000) + repeat("]", 100'000) + " }}", "nested too deeply"));
  CHECK(fails("{{ " + repeat("-", 100'000) + "1 }}", "nested too deeply"));
  CHECK(fails("{{ " + repeat("1+", 100'000) + "1 }}", "nested too deeply"));
  CHECK(fails("{{ x" + repeat("|upper", 100'000) + " }}", "nested too deeply"));
  CHECK(fails("{{ x" + repeat(" if x else x", 100'000) + " }}", "nested too deeply"));
  CHECK(fails(repeat("{% if x %}", 100'000), "nested too deeply"));
  CHECK(render("{{ " + repeat("not ", 100'000) + "1 }}") == "True");
  CHECK(fails("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply"));
  CHECK(fails("{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}", "nested too deeply"));
  CHECK(fails("{% set n = namespace(x=[]) %}{% for i in range(1000) %}{% set n.x = [n.x] %}{% endfor %}",
              "nested too deeply"));
  CHECK(fails("{% set n = namespace(x='xxxxxxxx') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
              "too much memory"));
  CHECK(fails("{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
              "line 1"));
  CHECK(fails("{{ 'x' * 9999999999999 }}", "too many steps"));
  CHECK(fails("{{ '' * 9999999999999 }}", "too many steps"));
  CHECK(fails("{{ '%9999999999d' % 1 }}", "more than"));
  CHECK(fails("{{ 9223372036854775807 + 1 }}", "too large"));
  CHECK(fails("{{ -9223372036854775807 - 2 }}", "too large"));
  CHECK(fails("{{ (-9223372036854775807 - 1) // -1 }}", "too large"));
  CHECK(fails("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "too much memory"));
  CHECK(
      fails("{% macro m() %}{% for i in range(2) %}{{ m() }}{% endfor %}{% endmacro %}{{ m() }}", "nested too deeply"));
}

TEST_CASE("what refers to itself is taken apart at the end") {
  CHECK(render("{% set n = namespace() %}{% set n.n = n %}{{ n.n.n.x }}") == "");
  CHECK(render("{% set n = namespace() %}{% for i in [1] %}{% set n.l = loop %}{% set n.c = loop.changed %}"
               "{{ loop.changed(loop.changed) }}{% endfor %}{{ n.c(n.c) }}{{ n.l.length }}") == "TrueTrue1");
  CHECK(render("{% set n = namespace() %}{% for i in range(50000) %}{% set n.c = cycler(n.c) %}{% endfor %}x") == "x");
}

} // namespace
} // namespace kern
