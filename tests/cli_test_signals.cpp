// What a signal does to kern.
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

using namespace std::chrono_literals;

const struct {
  int signal;
  int code;
  const char* named;
} endings[] = {{SIGINT, 130, "end     interrupted; seed"},
               {SIGTERM, 143, "end     interrupted by SIGTERM; seed"},
               {SIGHUP, 129, "end     interrupted by SIGHUP; seed"}};

/// A prompt that takes several seconds on one thread.
ProcessOptions long_prompt() {
  ProcessOptions options;
  options.input = Input::bytes;
  options.bytes = std::string(300000, 'a');
  return options;
}

TEST_CASE("Ctrl-C, SIGTERM and SIGHUP print what came, then the report") {
  const Models models;
  const std::string model = models.add(endless());
  for (const auto& ending : endings) {
    CAPTURE(ending.named);
    Process process(KERN_EXECUTABLE, run_endless(model));
    CHECK(process.read_until([](const ProcessResult& so_far) { return so_far.out.size() > 100; }));
    process.send(ending.signal);
    const auto result = process.finish();
    CHECK(result.code == ending.code);
    CHECK(result.out.starts_with("round and round and "));
    CHECK(result.out.ends_with(" \n"));
    CHECK(contains(result.err, ending.named));
    CHECK(contains(result.err, "answer "));
  }
}

TEST_CASE("with --json they print a whole report") {
  const Models models;
  const std::string model = models.add(endless());
  for (const auto& ending : endings) {
    CAPTURE(ending.named);
    // The first bar on a terminal, after a second, shows that the answer has begun.
    ProcessOptions options = long_prompt();
    options.err = Output::terminal;
    Process process(KERN_EXECUTABLE, {"run", "-m", model, "-c", "400000", "-t", "1", "--json"}, options);
    CHECK(process.read_until([](const ProcessResult& so_far) { return contains(so_far.err, "prompt "); }));
    process.send(ending.signal);
    const auto result = process.finish();
    CHECK(result.code == ending.code);
    const auto report = nlohmann::json::parse(result.out);
    CHECK(report["exit_code"] == ending.code);
    CHECK(report["reason"] == "interrupted");
    CHECK(report["text"] == "");
  }
}

TEST_CASE("they end a long prompt") {
  const Models models;
  const std::string model = models.add(endless());
  for (const auto& ending : endings) {
    CAPTURE(ending.named);
    ProcessOptions options = long_prompt();
    options.err = Output::terminal;
    Process process(KERN_EXECUTABLE, {"run", "-m", model, "-c", "400000", "-t", "1"}, options);
    CHECK(process.read_until([](const ProcessResult& so_far) { return contains(so_far.err, "prompt "); }));
    process.send(ending.signal);
    const auto result = process.finish();
    CHECK(result.code == ending.code);
    CHECK(result.out.empty());
    CHECK(contains(result.err, ending.named));
  }
}

TEST_CASE("before the answer they end kern at once and quietly") {
  const Models models;
  const std::string model = models.add(answer_model({"x"}));
  for (const auto& ending : endings) {
    CAPTURE(ending.named);
    ProcessOptions options;
    options.input = Input::silent;
    Process process(KERN_EXECUTABLE, {"run", "-m", model, "hi"}, options);
    CHECK(process.read_until([](const ProcessResult& so_far) { return contains(so_far.err, "--no-stdin"); }));
    process.send(ending.signal);
    const auto result = process.finish();
    CHECK(result.code == ending.code);
    CHECK(result.out.empty());
    CHECK(is_one_line(result.err)); // that it waits
  }
}

TEST_CASE("a second Ctrl-C ends kern at once") {
  const Models models;
  // Nobody reads: kern soon waits in a write, where the first Ctrl-C can't reach the token loop.
  const std::string model = models.add(endless({std::string(10000, '.')}));
  ProcessOptions options;
  options.out = Output::unread;
  Process process(KERN_EXECUTABLE, run_endless(model), options);
  CHECK(process.still_runs_after(2s));
  process.send(SIGINT);
  CHECK(process.still_runs_after(500ms));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  CHECK(result.err.empty());
}

TEST_CASE("Ctrl-C twice during a long prompt leaves no bar behind") {
  const Models models;
  ProcessOptions options = long_prompt();
  options.err = Output::terminal;
  Process process(KERN_EXECUTABLE, {"run", "-m", models.add(endless()), "-c", "400000", "-t", "1"}, options);
  CHECK(process.read_until([](const ProcessResult& so_far) { return contains(so_far.err, "prompt "); }));
  process.send(SIGINT);
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  CHECK(contains(result.err, "\r\x1b[J"));
}

TEST_CASE("a reader that takes nothing is waited for, but not after a signal") {
  const Models models;
  const std::string model = models.add(endless({std::string(10000, '.')}));
  for (const auto& ending : endings) {
    CAPTURE(ending.named);
    ProcessOptions options;
    options.out = Output::unread;
    Process process(KERN_EXECUTABLE, run_endless(model), options);
    CHECK(process.still_runs_after(1s));
    process.send(ending.signal);
    const auto result = process.finish();
    CHECK_FALSE(result.timed_out);
    CHECK(result.code == ending.code);
    CHECK(is_one_line(result.err));
    CHECK(contains(result.err, "nobody reads standard output"));
  }
}

TEST_CASE("SIGTERM counts once: `timeout` sends it to kern and to its group") {
  const Models models;
  const std::string model = models.add(endless());
  ProcessOptions options = long_prompt();
  options.err = Output::terminal;
  Process process(KERN_EXECUTABLE, {"run", "-m", model, "-c", "400000", "-t", "1"}, options);
  CHECK(process.read_until([](const ProcessResult& so_far) { return contains(so_far.err, "prompt "); }));
  process.send(SIGTERM);
  process.send(SIGHUP);
  process.send(SIGTERM);
  const auto result = process.finish();
  CHECK((result.code == 143 || result.code == 129)); // of two at once the system delivers either first
  CHECK(contains(result.err, "end     interrupted by SIG"));
}

TEST_CASE("a signal that the parent ignores stays ignored") {
  const Models models;
  const std::string model = models.add(endless());
  for (const auto& [name, signal] : std::vector<std::pair<std::string, int>>{{"HUP", SIGHUP}, {"INT", SIGINT}}) {
    CAPTURE(name);
    Words arguments{"-c", "trap '' " + name + "; exec \"$@\"", "sh", KERN_EXECUTABLE};
    for (const std::string& word : run_endless(model)) arguments.push_back(word);
    Process process("/bin/sh", arguments);
    CHECK(process.read_until([](const ProcessResult& so_far) { return so_far.out.size() > 100; }));
    process.send(signal);
    CHECK(process.still_runs_after(500ms));
    process.send(SIGTERM);
    CHECK(process.finish().code == 143);
  }
}

} // namespace
} // namespace kern::test
