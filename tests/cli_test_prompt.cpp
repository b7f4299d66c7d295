// Where a prompt comes from.
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

using namespace std::chrono_literals;

/// The prompt that kern makes of arguments and input.
std::string prompt_of(const std::string& model, const Words& arguments, const ProcessOptions& options = {}) {
  Words all{"tokenize", "-m", model, "--no-bos", "--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const auto result = kern(all, options);
  REQUIRE(result.code == 0);
  std::string text;
  for (const auto& token : nlohmann::json::parse(result.out)) text += token["text"];
  return text;
}

TEST_CASE("the prompt is the arguments, -p, -f or standard input") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  const std::string file = models.add_bytes("from a file\n", "prompt.txt");
  CHECK(prompt_of(model, {"one", "two"}) == "one two");
  CHECK(prompt_of(model, {"-p", "a flag"}) == "a flag");
  CHECK(prompt_of(model, {"-f", file}) == "from a file\n");
  CHECK(prompt_of(model, {"-f", "-"}, piped("through -f")) == "through -f");
  CHECK(prompt_of(model, {}, piped("a pipe\n")) == "a pipe\n");
  CHECK(prompt_of(model, {"--", "-n"}) == "-n");
}

TEST_CASE("whatever a prompt looks like, it arrives as it was written") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  for (const char* prompt : {"[a,b]", "[INST] hi [/INST]", "[", "[]", "[]\x01", "{}", "{a}", "%%", "\"q\"", "'q'",
                             "- item", "-", "++", " ", "a=b", "\n"}) {
    CAPTURE(prompt);
    CHECK(prompt_of(model, {prompt}) == prompt);
    CHECK(prompt_of(model, {"-p", prompt}) == prompt);
    CHECK(answer_json(model, {prompt})["prompt_tokens"] == std::string(prompt).size());
    CHECK(answer(model, {"-r", prompt, "hi"}).out == "x\n");
  }
  CHECK(prompt_of(model, {"[a,b]", "[c,d]"}) == "[a,b] [c,d]");
  CHECK(answer(models.add(answer_model({"a", "[b", ",c]"})), {"-r", "[b,c]", "hi"}).out == "a\n");
}

TEST_CASE("piped input follows the argument after a blank line") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  const std::string file = models.add_bytes("file", "prompt.txt");
  CHECK(prompt_of(model, {"Sum up:"}, piped("a text\n")) == "Sum up:\n\na text\n");
  CHECK(prompt_of(model, {"-p", "Sum up:"}, piped("a text")) == "Sum up:\n\na text");
  CHECK(prompt_of(model, {"-f", file}, piped("a text")) == "file\n\na text");
  CHECK(prompt_of(model, {"alone"}, piped("")) == "alone");
  CHECK(prompt_of(model, {"alone", "--no-stdin"}, piped("a text")) == "alone");
  CHECK(answer_json(model, {"ask"}, piped("piped"))["prompt_tokens"] == 3 + 2 + 5);
}

TEST_CASE("a long prompt arrives whole") {
  const Models models;
  ChainModel chain = answer_model({"x"});
  chain.context_length = 1 << 20;
  const std::string model = models.add(chain);
  std::string text;
  for (int i = 0; text.size() < 200000; ++i) text += std::to_string(i) + ' ';
  CHECK(prompt_of(model, {}, piped(text)) == text);
  CHECK(prompt_of(model, {"-f", models.add_bytes(text, "long.txt")}) == text);
}

TEST_CASE("a prompt given twice, or not at all, is a mistake") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  const std::string file = models.add_bytes("text", "prompt.txt");
  for (const Words& arguments : std::vector<Words>{{"-p", "a", "b"}, {"-f", file, "b"}, {"-p", "a", "-f", file}}) {
    const auto result = answer(model, arguments);
    CHECK(result.code == 2);
    CHECK(is_one_line(result.err));
    CHECK(contains(result.err, "more than once"));
  }
  for (const Input input : {Input::nothing, Input::closed, Input::terminal}) {
    ProcessOptions options;
    options.input = input;
    const auto result = answer(model, {}, options);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK(is_one_line(result.err));
    CHECK(contains(result.err, "kern run \""));
  }
  const auto missing = answer(model, {"-f", models.path("missing.txt")});
  CHECK(missing.code == 2);
  CHECK(contains(missing.err, "missing.txt"));
}

TEST_CASE("without standard input, an argument is enough") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  for (const Input input : {Input::closed, Input::terminal, Input::nothing}) {
    ProcessOptions options;
    options.input = input;
    const auto result = answer(model, {"hi"}, options);
    CHECK(result.code == 0);
    CHECK(result.out == "x\n");
    CHECK(result.err.empty());
  }
}

TEST_CASE("waiting for a pipe that says nothing is said") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  ProcessOptions options;
  options.input = Input::silent;
  Process process(KERN_EXECUTABLE, {"run", "-m", model, "hi"}, options);
  CHECK(process.read_until([](const ProcessResult& so_far) { return contains(so_far.err, "--no-stdin"); }));
  CHECK(process.still_runs_after(100ms));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  CHECK(result.out.empty());
  CHECK(result.duration > 1500ms);
}

TEST_CASE("Ctrl-C ends the wait for a silent pipe before anything was said about it, too") {
  const Models models;
  ProcessOptions options;
  options.input = Input::silent;
  options.limit = 20s;
  Process process(KERN_EXECUTABLE, {"run", "-m", models.add(answer_model({"x"})), "hi"}, options);
  CHECK(process.still_runs_after(1s));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK_FALSE(result.timed_out);
  CHECK(result.code == 130);
}

TEST_CASE("--no-stdin doesn't wait for a silent pipe") {
  const Models models;
  ProcessOptions options;
  options.input = Input::silent;
  const auto result = kern({"run", "-m", models.add(answer_model({"x"})), "--no-stdin", "hi"}, options);
  CHECK(result.code == 0);
  CHECK(result.out == "x\n");
  CHECK_FALSE(contains(result.err, "waiting"));
}

} // namespace
} // namespace kern::test
