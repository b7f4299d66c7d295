// The subcommands. Each takes its own arguments (without "kern NAME") and returns the process's exit code; errors are
// thrown to the one handler in main.cpp.
#pragma once

#include <string>
#include <vector>

namespace kern {

int run_command(std::vector<std::string> arguments);
int chat_command(std::vector<std::string> arguments);
int bench_command(std::vector<std::string> arguments);
int info_command(std::vector<std::string> arguments);
int template_command(std::vector<std::string> arguments);
int tokenize_command(std::vector<std::string> arguments);

} // namespace kern
