// Help that fits a screen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.h"

namespace kern {

/// A line or more for every option, at most 80 columns wide.
std::string option_lines(const CLI::Option& option);

/// The options of a command: all where they fit a screen of 24 lines, else the usual ones and the topics; with a
/// `topic`, those of it. Throws Error(usage) for a topic that isn't there.
std::string help_text(const CLI::App& app, std::string_view topic);

/// `kern help`, `kern help COMMAND [TOPIC]`, `kern help TOPIC`. Throws Error(usage).
std::string general_help(const std::vector<std::string>& words);

/// What an option's value is called, as in "FILE" or "show|hide|off"; empty for one without a value.
std::string value_name(const CLI::Option& option);
/// How an option is called: "-m, --model FILE".
std::string option_head(const CLI::Option& option);
/// What it does, with its default.
std::string option_about(const CLI::Option& option);
/// Options that people may use, in their order.
std::vector<const CLI::Option*> shown_options(const CLI::App& app);

} // namespace kern
