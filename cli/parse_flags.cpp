// From arguments and the environment to options.
#include <algorithm>
#include <cctype>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/foreign_flags.h"
#include "cli/help.h"
#include "cli/nearest_name.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr ShortSpelling spellings[] = {
    {"-ctk", "--cache-type-k"},   {"-ctv", "--cache-type-v"}, {"-ngl", "--gpu-layers"},   {"-dev", "--device"},
    {"-nkvo", "--no-kv-offload"}, {"-sys", "--system"},       {"-sysf", "--system-file"}, {"-ub", "--ubatch-size"},
};

/// CLI11 takes an argument "[a,b]" for a list and splits it. One with something behind its bracket stays whole.
constexpr char list_guard = '\x01';

void guard_brackets(std::string& argument) {
  if (argument.starts_with('[')) argument += list_guard;
}

std::string unguard_brackets(std::string& value) {
  if (value.starts_with('[') && value.ends_with(list_guard)) value.pop_back();
  return {};
}

bool has(const CLI::App& app, const std::string& name) { return app.get_option_no_throw(name) != nullptr; }

/// The argument in CLI11's words: -ngl as --gpu-layers, --top_k as --top-k.
std::string spell_out(const CLI::App& app, const std::string& argument) {
  const std::size_t end = std::min(argument.find('='), argument.size());
  std::string name = argument.substr(0, end);
  const auto known = std::ranges::find(spellings, name, &ShortSpelling::spelling);
  if (known != std::end(spellings)) return std::string(known->flag) + argument.substr(end);
  if (!name.starts_with("--") || has(app, name)) return argument;
  std::ranges::replace(name, '_', '-');
  return has(app, name) ? name + argument.substr(end) : argument;
}

[[noreturn]] void fail(const CLI::App& app, const std::string& message) {
  throw Error(ExitCode::usage, fmt::format("{}; `{} --help` lists the options", message, app.get_name()));
}

/// "- item" is a text, and so is "-".
bool looks_like_flag(const std::string& argument) {
  const char second = argument.size() > 1 ? argument[1] : ' ';
  return argument.starts_with('-') && (second == '-' || std::isalnum(static_cast<unsigned char>(second)));
}

std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

/// Throws for a flag that CLI11 would not know; one letter with a value or other letters behind it is left to CLI11.
void check_known(const CLI::App& app, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  if (name.size() < 2 || name == "--" || has(app, name)) return;
  const bool is_long = name[1] == '-';
  // "-temp" was meant as "--temp", not as "-t emp".
  const bool lacks_dash = !is_long && name.size() > 2 && has(app, "-" + name);
  if (!is_long && !lacks_dash && (has(app, name.substr(0, 2)) || (name[1] >= '0' && name[1] <= '9'))) return;
  const std::vector<std::string> names = long_names(app);
  fail(app, fmt::format("{} is no option of {}{}", escape_line(name), app.get_name(),
                        did_you_mean(lacks_dash || !is_long ? "-" + name : name, names)));
}

/// Whether the value of this flag is the next argument.
bool takes_next(const CLI::App& app, const std::string& argument) {
  const CLI::Option* option = app.get_option_no_throw(argument);
  return option && option->get_items_expected_min() > 0;
}

/// Rewrites arguments for CLI11; the help asked for, if any, goes to `help`.
std::vector<std::string> translate(const CLI::App& app, std::vector<std::string> arguments,
                                   std::optional<std::string>& help) {
  std::vector<std::string> out;
  std::ranges::reverse(arguments);
  const auto take = [&] {
    std::string argument = std::move(arguments.back());
    arguments.pop_back();
    return argument;
  };
  while (!arguments.empty()) {
    std::string argument = spell_out(app, take());
    if (argument == "--") {
      out.push_back(argument);
      while (!arguments.empty()) out.push_back(take());
    } else if ((argument == "--help" || argument == "-h") && has(app, argument)) {
      help = arguments.empty() || arguments.back().starts_with('-') ? std::string() : take();
      return {};
    } else if (!looks_like_flag(argument)) {
      out.push_back(std::move(argument));
    } else if (has(app, argument.substr(0, argument.find('='))) ||
               !translate_foreign_flag(app, argument, arguments, out)) {
      check_known(app, argument);
      const bool value_follows = takes_next(app, argument) && !arguments.empty();
      out.push_back(std::move(argument));
      if (value_follows) out.push_back(take());
    }
  }
  return out;
}

/// "KERN_TEMP: " where the message is about a flag that only the environment gave.
std::string blame_environment(const CLI::App& app, const std::string& message,
                              const std::vector<std::string>& arguments) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string variable = option->get_envname();
    const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
    if (!value || !*value) continue;
    const auto names_it = [&](const std::string& name) {
      return message.find("--" + name + ":") != std::string::npos ||
             message.find("--" + name + " ") != std::string::npos;
    };
    const auto gives_it = [&](const std::string& name) {
      return std::ranges::any_of(arguments, [&](const std::string& a) {
        return a == "--" + name || a.starts_with("--" + name + "=") || (name.size() == 1 && a.starts_with("-" + name));
      });
    };
    const bool named = std::ranges::any_of(option->get_lnames(), names_it) ||
                       message.find(option->get_name() + ":") != std::string::npos;
    const bool given =
        std::ranges::any_of(option->get_lnames(), gives_it) || std::ranges::any_of(option->get_snames(), gives_it);
    if (named && !given) return variable + ": ";
  }
  return {};
}

} // namespace

std::span<const ShortSpelling> short_spellings() { return spellings; }

std::string environment_name(std::string_view long_flag) {
  std::string name = "KERN_" + std::string(long_flag);
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

void use_environment(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::vector<std::string>& names = option->get_lnames();
    if (names.empty() || names[0] == "help" || names[0] == "model" || names[0] == "prompt" || names[0] == "file")
      continue;
    std::string variable = environment_name(names[0]);
    for (const std::string& name : names)
      if (std::getenv(environment_name(name).c_str())) variable = environment_name(name);
    option->envname(variable);
  }
}

void prepare_flags(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) option->transform(CLI::Validator(unguard_brackets, ""));
}

bool parse_flags(CLI::App& app, std::vector<std::string> arguments) {
  prepare_flags(app);
  return parse_prepared_flags(app, std::move(arguments));
}

bool parse_prepared_flags(CLI::App& app, std::vector<std::string> arguments) {
  std::optional<std::string> help;
  arguments = translate(app, std::move(arguments), help);
  if (help) {
    write_output(help_text(app, *help));
    return false;
  }
  std::vector<std::string> given = arguments;
  for (std::string& argument : given) guard_brackets(argument);
  std::ranges::reverse(given); // CLI11 takes them from the back
  try {
    app.parse(given);
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::ranges::replace(message, '\n', ' ');
    fail(app, blame_environment(app, message, arguments) + message);
  }
  return true;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> names) {
  const std::optional<std::string> meant = nearest_name(name, names);
  return meant ? fmt::format(", did you mean {}?", *meant) : std::string();
}

} // namespace kern
