// Flags: slips of the finger, the environment, other tools' spellings, help, completions, the manual page.
#include <CLI/CLI.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <sstream>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/options.h"
#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

ProcessOptions with(std::vector<std::pair<std::string, std::string>> environment) {
  ProcessOptions options;
  options.environment = std::move(environment);
  return options;
}

/// Lines, and columns of the longest.
std::pair<std::size_t, std::size_t> size_of(const std::string& text) {
  std::istringstream lines(text);
  std::size_t count = 0, longest = 0;
  for (std::string line; std::getline(lines, line); ++count) longest = std::max(longest, line.size());
  return {count, longest};
}

TEST_CASE("a slip of the finger gets the flag or command that was meant") {
  const std::vector<std::pair<Words, std::string>> slips = {
      {{"rnu", "hi"}, "did you mean run?"},
      {{"bnech"}, "did you mean bench?"},
      {{"run", "--tmp", "0.5", "hi"}, "did you mean --temp?"},
      {{"run", "--top_kk", "5", "hi"}, "did you mean --top-k?"},
      {{"run", "-temp", "0.5", "hi"}, "did you mean --temp?"},
      {{"info", "--metdata"}, "did you mean --metadata?"},
      {{"help", "smapling"}, "did you mean sampling?"},
  };
  for (const auto& [arguments, meant] : slips) {
    const auto result = kern(arguments);
    CHECK(result.code == 2);
    CHECK(is_one_line(result.err));
    CHECK_MESSAGE(contains(result.err, meant), result.err);
  }
  const auto nothing = kern({"run", "--zzzzzzzzz", "hi"});
  CHECK(nothing.code == 2);
  CHECK(is_one_line(nothing.err));
  CHECK_FALSE(contains(nothing.err, "did you mean"));
  CHECK_FALSE(contains(kern({"run", "--te\x1bmp", "hi"}).err, "\x1b"));
}

TEST_CASE("KERN_<FLAG> gives flags that the command line doesn't") {
  const Models models;
  const std::string model = models.add(answer_model(hello));
  const auto report = [&](const Words& extra, const ProcessOptions& options) {
    return answer_json(model, extra, options);
  };
  CHECK(report({"hi"}, with({{"KERN_TEMP", "0.25"}, {"KERN_CTX_SIZE", "77"}}))["sampling"]["temperature"] == 0.25);
  CHECK(report({"hi"}, with({{"KERN_TEMP", "0.25"}, {"KERN_CTX_SIZE", "77"}}))["context"] == 77);
  CHECK(report({"hi"}, with({{"KERN_N_PREDICT", "2"}}))["generated_tokens"] == 2); // any of a flag's names
  CHECK(report({"hi", "--temp", "0.5"}, with({{"KERN_TEMP", "0.25"}}))["sampling"]["temperature"] == 0.5);
  CHECK(answer(model, {"hi"}, with({{"KERN_JSON", "1"}})).out.starts_with("{"));
  CHECK(answer(model, {"hi"}, with({{"KERN_JSON", "0"}})).out == "Hello, world.\n");
  CHECK(answer(model, {"hi"}, with({{"KERN_TEMP", ""}})).out == "Hello, world.\n");
  CHECK(kern({"run", "-m", model, "hi"}, with({{"KERN_QUIET", "1"}})).err.empty());
  CHECK(answer(model, {"hi"}, with({{"KERN_PROMPT", "not a flag of the environment"}})).out == "Hello, world.\n");
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"KERN_TEMP", "warm"}, {"KERN_TOP_K", "-7"}, {"KERN_SEED", "x"}, {"KERN_JSON", "perhaps"}}) {
    const auto wrong = answer(model, {"hi"}, with({{name, value}}));
    CHECK(wrong.code == 2);
    CHECK(is_one_line(wrong.err));
    CHECK_MESSAGE(contains(wrong.err, name), wrong.err);
  }
  // What the command line says wrong is no fault of the environment.
  const auto wrong = answer(model, {"--temp", "warm", "hi"}, with({{"KERN_TEMP", "0.5"}}));
  CHECK(wrong.code == 2);
  CHECK_FALSE(contains(wrong.err, "KERN_TEMP"));
}

TEST_CASE("other tools' spellings mean what they meant there, or are refused with kern's way") {
  const Models models;
  const std::string model = models.add(answer_model(hello));
  const std::string system = models.add_bytes("Be kind.\n", "system.txt");
  for (const Words& works : std::vector<Words>{{"-st", "-no-cnv", "--no-display-prompt", "hi"},
                                               {"-tb", "2", "-fa", "on", "-ot", "a=CPU", "--mlock", "-lv", "3", "hi"},
                                               {"-fa", "hi"},
                                               {"--color", "hi"},
                                               {"--log-disable", "--simple-io", "--jinja", "--no-warmup", "hi"},
                                               {"--top_k=5", "--top_p", "0.5", "hi"},
                                               {"--reasoning", "off", "--reasoning-budget", "-1", "hi"},
                                               {"--reasoning-format", "none", "hi"}}) {
    const auto result = answer(model, works);
    CHECK_MESSAGE(result.code == 0, result.err);
    CHECK(result.out == "Hello, world.\n");
  }
  CHECK(answer_json(model, {"--max-tokens", "2", "hi"})["generated_tokens"] == 2);
  CHECK(answer_json(model, {"--top_k", "5", "hi"})["sampling"]["top_k"] == 5);
  CHECK(kern({"run", "-q", "-hf", model, "hi"}).out == "Hello, world.\n");
  ChainModel chat = answer_model(hello);
  chat.chat_template = chatml_template;
  const std::string chat_model = models.add(chat, "chat.gguf");
  CHECK(answer_json(chat_model, {"-sysf", system, "hi"})["prompt_tokens"] ==
        answer_json(chat_model, {"-sys", "Be kind.", "hi"})["prompt_tokens"]);
  for (const auto& [arguments, way] :
       std::vector<std::pair<Words, std::string>>{{{"--grammar", "root ::= x", "hi"}, "--extract"},
                                                  {{"-cnv", "hi"}, "kern chat"},
                                                  {{"-e", "hi"}, "$'\\n'"},
                                                  {{"--context-shift", "hi"}, "-c"},
                                                  {{"-md", "x.gguf", "hi"}, "speculative"},
                                                  {{"--lora=x", "hi"}, "merge"},
                                                  {{"--image", "x.png", "hi"}, "text only"},
                                                  {{"-o", "x", "hi"}, "> FILE"},
                                                  {{"--reasoning", "maybe", "hi"}, "--think"},
                                                  {{"-sys", "a", "-sysf", system, "hi"}, "one of them"}}) {
    const auto result = answer(model, arguments);
    CHECK(result.code == 2);
    CHECK(is_one_line(result.err));
    CHECK_MESSAGE(contains(result.err, way), result.err);
  }
  // A value is never taken for a flag.
  CHECK(answer_json(model, {"--raw", "-p", "-ngl"})["prompt_tokens"] == 4);
  CHECK(nlohmann::json::parse(answer(model, {"--raw", "--json", "--", "--grammar"}).out)["prompt_tokens"] == 9);
}

TEST_CASE("help fits a screen") {
  for (const CommandEntry& entry : all_commands()) {
    const Command command = entry.make();
    std::vector<std::string> topics{""};
    for (const CLI::Option* option : shown_options(*command.app)) {
      if (option->get_group() != "Options") topics.push_back(option->get_group());
      CHECK_FALSE(option->get_description().empty());
    }
    for (const std::string& topic : topics) {
      const std::string text = help_text(*command.app, topic);
      const auto [lines, columns] = size_of(text);
      CAPTURE(text);
      CHECK(lines <= 24);
      CHECK(columns <= 80);
    }
    // Every option stands under a topic or on the first page.
    std::string all;
    for (const std::string& topic : topics) all += help_text(*command.app, topic);
    for (const CLI::Option* option : shown_options(*command.app)) CHECK(contains(all, option_head(*option)));
  }
  for (const std::string& words : {std::string("exit-codes"), std::string("environment")})
    CHECK(size_of(general_help({words})).first <= 24);
  CHECK(size_of(general_help({})).second <= 80);
  CHECK(contains(kern({"run", "--help", "sampling"}).out, "--xtc-threshold"));
  CHECK(kern({"help", "run", "sampling"}).out == kern({"run", "--help", "sampling"}).out);
  CHECK(kern({"help", "sampling"}).out == kern({"run", "--help", "sampling"}).out);
  CHECK(contains(kern({"help", "environment"}).out, "KERN_MODELS"));
  CHECK(contains(kern({"help"}).out, "completions"));
  const auto wrong = kern({"run", "--help", "nonsense"});
  CHECK(wrong.code == 2);
  CHECK(is_one_line(wrong.err));
}

/// Whether a shell is there, and what it says of a script.
int shell_accepts(const std::string& shell, const std::string& option, const std::string& path) {
  const std::string there = "command -v " + shell + " >/dev/null 2>&1";
  if (std::system(there.c_str()) != 0) return 0;
  return std::system((shell + " " + option + " " + path).c_str());
}

TEST_CASE("completions know every flag, and shells read them") {
  const Models models;
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const auto result = kern({"completions", shell});
    CHECK(result.code == 0);
    for (const CommandEntry& entry : all_commands()) {
      CHECK(contains(result.out, entry.name));
      const Command command = entry.make();
      for (const CLI::Option* option : shown_options(*command.app))
        for (const std::string& name : option->get_lnames())
          CHECK(contains(result.out, shell == "fish" ? "-l " + name : "--" + name));
    }
    CHECK(shell_accepts(shell, "-n", models.add_bytes(result.out, "script." + shell)) == 0);
  }
  CHECK(kern({"completions", "tcsh"}).code == 2);
  // bash completes with it.
  const std::string script = models.add_bytes(
      "source " + models.path("script.bash") +
          "\nCOMP_WORDS=(kern run --top-); COMP_CWORD=2; _kern; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
          "COMP_WORDS=(kern b); COMP_CWORD=1; _kern; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
          "COMP_WORDS=(kern run --think ''); COMP_CWORD=3; _kern; printf '%s\\n' \"${COMPREPLY[@]}\"\n",
      "try.bash");
  const auto tried = run_process("/bin/bash", {"--norc", script});
  for (const char* word : {"--top-k\n", "--top-nsigma\n", "bench\n", "hide\n"}) CHECK(contains(tried.out, word));
  CHECK_FALSE(contains(tried.out, "--temp"));
}

TEST_CASE("the manual page has every command and flag") {
  const auto result = kern({"man"});
  CHECK(result.code == 0);
  CHECK(result.out.starts_with(".TH KERN 1"));
  for (const CommandEntry& entry : all_commands()) CHECK(contains(result.out, ".SS \"kern " + std::string(entry.name)));
  for (const char* text : {"\\-\\-xtc\\-threshold", "EXIT STATUS", "KERN_MODELS", "\\-ngl"})
    CHECK(contains(result.out, text));
  // No line of text is a request of troff by accident: each begins with one that is used here.
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with('.') || line.starts_with('\'')) {
      const Words requests = {".TH", ".SH", ".B", ".I", ".SS", ".TP", ".nf", ".fi"};
      CHECK_MESSAGE(std::ranges::find(requests, line.substr(0, line.find(' '))) != requests.end(), line);
    }
}

} // namespace
} // namespace kern::test
