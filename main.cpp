// kern: table of subcommands, the one catch, exit codes.
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(std::vector<std::string> arguments);
};

constexpr Command commands[] = {
    {"run", "answer one prompt, from the arguments, a file or standard input", kern::run_command},
    {"chat", "a conversation, turn by turn", kern::chat_command},
    {"bench", "how fast a model runs, and how near to the machine's limits", kern::bench_command},
    {"info", "what a model file holds, and what running it takes", kern::info_command},
    {"template", "what a chat template makes of a conversation", kern::template_command},
    {"tokenize", "text to token ids and back", kern::tokenize_command},
};

std::string usage() {
  std::string text = "kern runs large language models from the terminal.\n\nusage: kern COMMAND [options]\n\n";
  for (const Command& command : commands) text += fmt::format("  {:<10} {}\n", command.name, command.summary);
  return text + "\n`kern COMMAND --help` lists a command's options. `kern --version` says which kern this is.\n";
}

int dispatch(const std::vector<std::string>& arguments) {
  const std::string_view name = arguments.empty() ? std::string_view() : std::string_view(arguments[0]);
  if (name == "--help" || name == "-h" || name == "help") {
    kern::write_output(usage());
    return 0;
  }
  if (name == "--version") {
    kern::write_output(kern::version_line());
    return 0;
  }
  for (const Command& command : commands)
    if (name == command.name) return command.run({arguments.begin() + 1, arguments.end()});
  if (name.empty()) throw kern::Error(kern::ExitCode::usage, "no command given; `kern --help` lists them");
  throw kern::Error(kern::ExitCode::usage,
                    fmt::format("'{}' is not a command; `kern --help` lists them", kern::escape_controls(name)));
}

int fail(kern::ExitCode code, std::string_view message) {
  kern::write_notice(fmt::format("kern: {}\n", message));
  return static_cast<int>(code);
}

} // namespace

int main(int argc, char** argv) {
  kern::hold_standard_files();
  kern::install_signal_handlers();
  try {
    return dispatch({argv + (argc > 0 ? 1 : 0), argv + argc});
  } catch (const kern::ClosedOutput&) {
    return kern::interrupted() ? static_cast<int>(kern::interruption_code()) : 0; // the reader has what it wanted
  } catch (const kern::Error& error) {
    return fail(error.code(), kern::escape_controls(error.what()));
  } catch (const std::bad_alloc&) {
    return fail(kern::ExitCode::memory, "out of memory; a smaller -c or model needs less");
  } catch (const std::system_error& error) { // a thread that can't be started
    return fail(kern::ExitCode::memory,
                fmt::format("{}; fewer threads (-t) need less", kern::escape_controls(error.what())));
  } catch (const std::exception& error) {
    return fail(kern::ExitCode::usage, kern::escape_controls(error.what()));
  }
}
