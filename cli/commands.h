// The subcommands. Each declares its flags, so that help, completions and the manual page know them, and then runs with
// them; what it returns is the process's exit code. Errors are thrown to the one handler in main.cpp.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cli/command_line.h"

namespace kern {

struct Command {
  std::shared_ptr<void> flags; // the options write here
  std::shared_ptr<CLI::App> app;
  std::function<int()> run; // once the options were parsed
};

/// A command's parser, without flags.
std::shared_ptr<CLI::App> make_app(const std::string& name, const std::string& about);

/// A command of one struct of flags. `name` as in "kern run".
template <typename Flags>
Command make_command(const std::string& name, const std::string& about, void (*declare)(CLI::App&, Flags&),
                     int (*run)(Flags&)) {
  auto flags = std::make_shared<Flags>();
  auto app = make_app(name, about);
  declare(*app, *flags);
  return {flags, app, [flags, run] { return run(*flags); }};
}

Command run_command();
Command chat_command();
Command list_command();
Command replay_command();
Command convert_command();
Command quantize_command();
Command imatrix_command();
Command perplexity_command();
Command bench_command();
Command info_command();
Command template_command();
Command tokenize_command();
Command completions_command();
Command man_command();

struct CommandEntry {
  std::string_view name;
  std::string_view summary;
  Command (*make)();
};

/// All of them, in the order of the help.
std::span<const CommandEntry> all_commands();

} // namespace kern
