// Standard files that are closed, full, gone, or of another width than before.
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

using namespace std::chrono_literals;

/// A line of shell in which "$@" is kern with these arguments.
ProcessResult shell(const std::string& line, const Words& arguments) {
  Words all{"-c", line, "sh", KERN_EXECUTABLE};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_process("/bin/sh", all);
}

TEST_CASE("a reader that goes away ends kern quietly") {
  const Models models;
  const std::string model = models.add(endless());
  ProcessOptions options;
  options.close_after = 20;
  const auto result = kern(run_endless(model), options);
  CHECK_FALSE(result.timed_out);
  CHECK(result.code == 0);
  CHECK(result.out == "round and round and ");
  CHECK(result.err.empty());
}

TEST_CASE("in a shell, kern | head ends quietly") {
  const Models models;
  Words arguments = run_endless(models.add(endless()));
  auto result = shell("{ \"$@\"; echo \"code $?\" >&2; } | head -c 10", arguments);
  CHECK(result.out == "round and ");
  CHECK(result.err == "code 0\n");
  arguments.push_back("--json"); // the report comes when nobody reads any more
  arguments.insert(arguments.end(), {"-n", "3"});
  result = shell("{ sleep 1; \"$@\"; echo \"code $?\" >&2; } | true", arguments);
  CHECK(result.err == "code 0\n");
}

TEST_CASE("every set of closed standard files has its ending") {
  const Models models;
  const Words arguments{"run", "-m", models.add(answer_model({"x"})), "hi"};
  for (const std::string line : {"exec \"$@\" >&-", "exec \"$@\" <&- >&-"}) {
    const auto result = shell(line, arguments);
    CHECK(result.code == 8);
    CHECK(is_one_line(result.err));
  }
  for (const std::string line : {"exec \"$@\" >&- 2>&-", "exec \"$@\" <&- >&- 2>&-"})
    CHECK(shell(line, arguments).code == 8);
  for (const std::string line : {"exec \"$@\" 2>&-", "exec \"$@\" <&-", "exec \"$@\" <&- 2>&-"}) {
    const auto result = shell(line, arguments);
    CHECK(result.code == 0);
    CHECK(result.out == "x\n");
  }
}

TEST_CASE("a file opened later never takes the place of a closed standard file") {
  const std::string links = "/proc/self/fd"; // Linux
  if (!std::filesystem::exists(links)) return;
  const Models models;
  const std::string model = models.add(endless());
  ProcessOptions options;
  options.input = Input::closed;
  options.err = Output::closed;
  Process process(KERN_EXECUTABLE, run_endless(model), options);
  CHECK(process.read_until([](const ProcessResult& so_far) { return so_far.out.size() > 100; }));
  for (const char* file : {"0", "2"})
    CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(process.id()) + "/fd/" + file) == "/dev/null");
  process.send(SIGINT);
  CHECK(process.finish().code == 130);
}

TEST_CASE("a file that may not grow any more is output that can't be written") {
  const Models models;
  const std::string path = models.path("out.txt");
  const Words arguments = run_endless(models.add(endless({std::string(500, '.')})));
  const auto result = shell("ulimit -f 1; exec \"$@\" > '" + path + "'", arguments);
  CHECK(result.code == 8);
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, "standard output"));
  CHECK(std::filesystem::file_size(path) > 0); // what fits is there
}

TEST_CASE("a terminal that goes away ends kern quietly") {
  const Models models;
  const std::string model = models.add(endless());
  for (const bool leads_session : {false, true}) {
    CAPTURE(leads_session);
    ProcessOptions options;
    options.out = Output::terminal;
    options.leads_session = leads_session;
    Process process(KERN_EXECUTABLE, run_endless(model), options);
    CHECK(process.read_until([](const ProcessResult& so_far) { return so_far.out.size() > 100; }));
    process.hang_up();
    const auto result = process.finish();
    CHECK_FALSE(result.timed_out);
    // A hang-up is told to the leader of the terminal's session; others find that nobody reads.
    if (leads_session) CHECK((result.code == 129 || result.code == 0)); // the write may come before the signal
    else CHECK(result.code == 0);
    CHECK(result.err.empty());
  }
}

TEST_CASE("progress is drawn on a terminal only") {
  const Models models;
  const std::string model = models.add(endless());
  ProcessOptions options;
  options.input = Input::bytes;
  options.bytes = std::string(300000, 'a');
  const Words arguments{"run", "-m", model, "-c", "400000", "-t", "1", "--max-time", "3"};
  const auto piped = kern(arguments, options);
  CHECK(piped.code == 5);
  CHECK_FALSE(contains(piped.err, "\x1b"));
  CHECK_FALSE(contains(piped.err, "\r"));
  options.err = Output::terminal;
  const auto seen = kern(arguments, options);
  CHECK(seen.code == 5);
  CHECK(contains(seen.err, "\rprompt ["));
  CHECK(contains(seen.err, "\r\x1b[J")); // and removed before the report
  Words quiet = arguments;
  quiet.push_back("-q");
  CHECK(kern(quiet, options).err.empty());
}

TEST_CASE("the progress bar fits the terminal, also one that becomes narrower") {
  const Models models;
  ProcessOptions options;
  options.input = Input::bytes;
  options.bytes = std::string(300000, 'a');
  options.err = Output::terminal;
  Process process(KERN_EXECUTABLE, {"run", "-m", models.add(endless()), "-c", "400000", "-t", "1", "--max-time", "30"},
                  options);
  const std::string update_end = "\x1b[J\r";
  const auto updates = [&](std::string_view text) {
    std::vector<std::string> found;
    for (std::size_t begin = 0, end = 0; (end = text.find(update_end, begin)) != std::string_view::npos;
         begin = end + update_end.size())
      found.emplace_back(text.substr(begin, end - begin));
    return found;
  };
  const auto has_updates = [&](std::size_t count) {
    return [=](const ProcessResult& so_far) { return updates(so_far.err).size() >= count; };
  };
  REQUIRE(process.read_until(has_updates(2)));
  process.resize_terminal(20);
  const std::size_t before = updates(process.so_far().err).size();
  REQUIRE(process.read_until(has_updates(before + 3)));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  const auto all = updates(result.err);
  CHECK(all[0].size() > 20);
  CHECK(all[0].size() <= 1 + 79);
  CHECK(all[0].starts_with("\rprompt ["));
  // One may have been drawn while the width changed.
  for (std::size_t i = before + 1; i < before + 3; ++i) {
    CHECK(all[i].size() <= 1 + 19);
    CHECK(all[i].starts_with("\rprompt "));
    CHECK_FALSE(contains(all[i], "\n"));
  }
  CHECK(contains(result.err, "\r\x1b[Jmodel ")); // removed before the report
}

} // namespace
} // namespace kern::test
