// How kern ends: exit codes and the lines that go with them.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a command line that makes no sense ends with 2 and one line that names the trouble") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  const struct {
    Words arguments;
    std::string named;
  } cases[] = {
      {{}, "--help"},
      {{"frobnicate"}, "frobnicate"},
      {{"--nonsense"}, "--nonsense"},
      {{"run", "-m", model, "--nonsense", "hi"}, "--nonsense"},
      {{"run", "hi", "-m"}, "--model"},
      {{"run", "-m", model, "hi", "-n", "many"}, "many"},
      {{"run", "-m", model, "hi", "-n", "-2"}, "-2"},
      {{"run", "-m", model, "hi", "-n", "1.5"}, "1.5"},
      {{"run", "-m", model, "hi", "-c", "99999999999999999999"}, "99999999999999999999"},
      {{"run", "-m", model, "hi", "-t", "0"}, "--threads"},
      {{"run", "-m", model, "hi", "-ub", "0"}, "--ubatch-size"},
      {{"run", "-m", model, "hi", "-ngl", "some"}, "--gpu-layers"},
      {{"run", "-m", model, "hi", "-ctk", "q3"}, "q3"},
      {{"run", "-m", model, "hi", "-s", "luck"}, "luck"},
      {{"run", "-m", model, "hi", "-s", "-5"}, "-5"},
      {{"run", "-m", model, "hi", "--temp", "-1"}, "--temp"},
      {{"run", "-m", model, "hi", "--temp", "nan"}, "--temp"},
      {{"run", "-m", model, "hi", "--top-p", "1.1"}, "--top-p"},
      {{"run", "-m", model, "hi", "--min-p", "nan"}, "--min-p"},
      {{"run", "-m", model, "hi", "--repeat-penalty", "0"}, "--repeat-penalty"},
      {{"run", "-m", model, "hi", "--presence-penalty", "nan"}, "--presence-penalty"},
      {{"run", "-m", model, "hi", "--max-time", "0"}, "--max-time"},
      {{"run", "-m", model, "hi", "--max-time", "nan"}, "--max-time"},
      {{"run", "-m", model, "hi", "--max-time", "1e300"}, "--max-time"},
      {{"run", "-m", model, "hi", "--logit-bias", "word"}, "word"},
      {{"run", "-m", model, "hi", "--logit-bias", "5"}, "ID+BIAS"},
      {{"run", "-m", model, "hi", "--logit-bias", "5+"}, "ID+BIAS"},
      {{"run", "-m", model, "hi", "--logit-bias", "5+1x"}, "5+1x"},
      {{"run", "-m", model, "hi", "--logit-bias", "5+inf"}, "5+inf"},
      {{"run", "-m", model, "hi", "--logit-bias", "5+nan"}, "5+nan"},
      {{"run", "-m", model, "hi", "--logit-bias", "99999+1"}, "99999"},
      {{"tokenize", "-m", model, "--decode", "1 2 x"}, "x"},
      {{"tokenize", "-m", model, "--decode", "1000000"}, "1000000"},
      {{"info", "-m", model, "--positions", "0"}, "--positions"},
  };
  for (const auto& wrong : cases) {
    CAPTURE(wrong.named);
    const auto result = kern(wrong.arguments);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK(is_one_line(result.err));
    CHECK(contains(result.err, wrong.named));
  }
  ProcessOptions options;
  options.environment = {{"KERN_CPU", "abacus"}};
  const auto cpu = answer(model, {"hi"}, options);
  CHECK(cpu.code == 2);
  CHECK(contains(cpu.err, "abacus"));
}

TEST_CASE("an argument with control characters can't drive the terminal from an error message") {
  const auto result = kern({"run", "-m", "no\x1b[31msuch", "--nonsense\x1b[2J", "hi"});
  CHECK(result.code == 2);
  CHECK_FALSE(contains(result.err, "\x1b"));
  CHECK_FALSE(contains(kern({"run", "-m", "no\x1b[31msuch", "hi"}).err, "\x1b"));
  // Nor make two lines of it.
  for (const Words& arguments : std::vector<Words>{{"run", "-m", "no\nsuch", "hi"}, {"no\nsuch"}}) {
    const auto broken = kern(arguments);
    CHECK(is_one_line(broken.err));
    CHECK(contains(broken.err, "no\\nsuch"));
  }
}

TEST_CASE("a prompt that doesn't fit is refused with both counts, before any work") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  const auto result = kern({"run", "-m", model, "-c", "50", std::string(77, 'a')});
  CHECK(result.code == 4);
  CHECK(result.out.empty());
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, " 77 "));
  CHECK(contains(result.err, " 50;"));
  // The answer needs a position too, unless none is asked for.
  CHECK(answer(model, {"-c", "50", "-n", "1", std::string(49, 'a')}).code == 0);
  CHECK(answer(model, {"-c", "50", std::string(50, 'a')}).code == 4);
  CHECK(answer(model, {"-c", "50", "-n", "0", std::string(50, 'a')}).code == 0);
  // The model's own length counts where -c isn't given.
  CHECK(answer(model, {std::string(2000, 'a')}).code == 4);
}

TEST_CASE("an answer cut at the context's end says so") {
  const Models models;
  const std::string model = models.add(endless());
  const auto result = kern({"run", "-m", model, "-c", "12", "hi"});
  CHECK(result.code == 5);
  CHECK(result.out == "round and round and round and round and round and \n");
  CHECK(contains(result.err, "CUT"));
  CHECK(contains(result.err, "12 tokens"));
  CHECK(contains(result.err, "-c"));
}

TEST_CASE("an answer cut by --max-time says so") {
  const Models models;
  const std::string model = models.add(endless());
  const auto result = kern(run_endless(model, {"--max-time", "0.5"}));
  CHECK(result.code == 5);
  CHECK(result.out.starts_with("round and round"));
  CHECK(contains(result.err, "--max-time"));
  CHECK(result.duration > 400ms);
  CHECK(answer(model, {"-n", "3", "--max-time", "1e9", "hi"}).code == 0); // far away is no limit
}

TEST_CASE("memory that isn't there ends with 6 and a remedy") {
  if (sanitized) return;
  const Models models;
  const std::string model = models.add(endless());
  ProcessOptions options;
  options.address_space = std::size_t{1} << 30;
  const auto result = answer(model, {"-c", "1000000000", "-t", "1", "hi"}, options);
  CHECK(result.code == 6);
  CHECK(result.out.empty());
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, "-c"));
}

TEST_CASE("output that can't be written ends with 8") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  for (const Output out : {Output::full, Output::closed})
    for (const Words& arguments : std::vector<Words>{{"run", "-m", model, "hi"},
                                                     {"run", "-m", model, "--json", "hi"},
                                                     {"info", model},
                                                     {"tokenize", "-m", model, "hi"},
                                                     {"--version"},
                                                     {"run", "--help"}}) {
      ProcessOptions options;
      options.out = out;
      const auto result = kern(arguments, options);
      CHECK(result.code == 8);
      CHECK(is_one_line(result.err));
      CHECK(contains(result.err, "standard output"));
    }
}

TEST_CASE("a standard error that can't be written changes nothing") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  for (const Output err : {Output::full, Output::closed}) {
    ProcessOptions options;
    options.err = err;
    const auto result = kern({"run", "-m", model, "hi"}, options);
    CHECK(result.code == 0);
    CHECK(result.out == "x\n");
  }
}

TEST_CASE("control characters are escaped for a terminal, and pass through a pipe") {
  const Models models;
  const std::string model = models.add(answer_model({"\x1b", "[31m", "red", "\a\x7f", "\t.", "\n", "\xC2\x9B", "2J"}));
  const std::string raw = "\x1b[31mred\a\x7f\t.\n\xC2\x9B"
                          "2J\n";
  CHECK(answer(model, {"hi"}).out == raw);
  CHECK(answer_json(model, {"hi"})["text"] == raw.substr(0, raw.size() - 1));
  ProcessOptions options;
  options.out = Output::terminal;
  CHECK(answer(model, {"hi"}, options).out == "\\x1b[31mred\\x07\\x7f\t.\n\\u009b2J\n");
  const auto report = kern({"run", "-q", "-m", model, "--json", "hi"}, options);
  for (const char* control : {"\x1b", "\a", "\x7f", "\xC2\x9B"}) CHECK_FALSE(contains(report.out, control));
  CHECK(nlohmann::json::parse(report.out)["text"] == raw.substr(0, raw.size() - 1));
  // Split over tokens too.
  const std::string split = models.add(answer_model({"\xC2", "\x9B", "2J"}));
  CHECK(answer(split, {"hi"}, options).out == "\\u009b2J\n");
}

TEST_CASE("a model's name can't drive the terminal") {
  const Models models;
  ChainModel model = answer_model({"x"});
  model.name = "a\x1b[2Jb";
  const std::string path = models.add(model);
  const std::string report = kern({"run", "-m", path, "hi"}).err;
  CHECK(contains(report, "a\\x1b[2Jb"));
  CHECK_FALSE(contains(report, "\x1b"));
  ProcessOptions options;
  options.out = Output::terminal;
  const std::string info = kern({"info", path}, options).out;
  CHECK(contains(info, "a\\x1b[2Jb"));
  CHECK_FALSE(contains(info, "\x1b"));
}

} // namespace
} // namespace kern::test
