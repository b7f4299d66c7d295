// kern completions: what shells complete, made of the flags themselves.
#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/output.h"
#include "model/error.h"

namespace kern {

namespace {

struct CompletionFlags {
  std::string shell; // positional
};

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

bool takes_file(const CLI::Option& option) {
  const std::string type = value_name(option);
  return type.find("FILE") != std::string::npos || type == "REPORT" || type == "DIR";
}

bool takes_model(const CLI::Option& option) { return option.check_lname("model"); }

/// "-m", "--model", "-ngl"...
std::vector<std::string> spellings_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const ShortSpelling& known : short_spellings())
    if (option.check_name(std::string(known.flag))) names.emplace_back(known.spelling);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

/// The values of "a|b|c".
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = value_name(option);
  std::vector<std::string> choices;
  if (type.find('|') == std::string::npos || takes_file(option)) return choices;
  for (std::size_t begin = 0; begin <= type.size();) {
    const std::size_t end = std::min(type.find('|', begin), type.size());
    choices.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  return choices;
}

/// Every command with its options.
template <typename Use> void for_each_command(const Use& use) {
  for (const CommandEntry& entry : all_commands()) {
    const Command command = entry.make();
    use(entry, shown_options(*command.app));
  }
}

std::string command_names() {
  std::vector<std::string_view> names;
  for (const CommandEntry& entry : all_commands()) names.push_back(entry.name);
  return fmt::format("{} help", fmt::join(names, " "));
}

std::string bash() {
  std::string cases;
  for_each_command([&](const CommandEntry& entry, const std::vector<const CLI::Option*>& options) {
    std::vector<std::string> flags{"--help"};
    std::string values;
    for (const CLI::Option* option : options) {
      const std::vector<std::string> names = spellings_of(*option);
      flags.insert(flags.end(), names.begin(), names.end());
      if (!takes_value(*option)) continue;
      const std::string pattern = fmt::format("{}", fmt::join(names, "|"));
      if (takes_model(*option))
        values += fmt::format("      {}) words=$(kern list --names 2>/dev/null); files=1 ;;\n", pattern);
      else if (takes_file(*option)) values += fmt::format("      {}) files=1 ;;\n", pattern);
      else values += fmt::format("      {}) words='{}' ;;\n", pattern, fmt::join(choices_of(*option), " "));
    }
    cases += fmt::format("  {})\n    case $previous in\n{}      *) words='{}'; files=1 ;;\n    esac ;;\n", entry.name,
                         values, fmt::join(flags, " "));
  });
  return fmt::format(
      "# bash completion for kern\n"
      "_kern() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words= files=\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W '{}' -- \"$current\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${{COMP_WORDS[1]}} in\n{}  esac\n"
      "  [[ $words ]] && COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "  [[ $files && $current != -* ]] && COMPREPLY+=($(compgen -f -- \"$current\"))\n"
      "  return 0\n"
      "}}\n"
      "complete -o filenames -F _kern kern\n",
      command_names(), cases);
}

/// Within single quotes of a shell, for _arguments of zsh.
std::string zsh_text(std::string text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') out += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\') out += std::string("\\") + c;
    else out += c;
  }
  return out;
}

std::string zsh() {
  std::string commands;
  std::string cases;
  for_each_command([&](const CommandEntry& entry, const std::vector<const CLI::Option*>& options) {
    commands += fmt::format("    '{}:{}'\n", entry.name, zsh_text(std::string(entry.summary)));
    cases += fmt::format("    {}) _arguments", entry.name);
    for (const CLI::Option* option : options) {
      std::string value;
      const std::vector<std::string> choices = choices_of(*option);
      if (takes_model(*option)) value = ":model:_kern_models";
      else if (takes_file(*option)) value = ":file:_files";
      else if (!choices.empty()) value = fmt::format(":value:({})", fmt::join(choices, " "));
      else if (takes_value(*option)) value = ":" + zsh_text(value_name(*option)) + ":";
      for (const std::string& name : spellings_of(*option))
        cases += fmt::format(" \\\n      '*{}[{}]{}'", name, zsh_text(option->get_description()), value);
    }
    cases += " \\\n      '*:file:_files' ;;\n";
  });
  return fmt::format("#compdef kern\n"
                     "_kern_models() {{ compadd -- ${{(f)\"$(kern list --names 2>/dev/null)\"}}; _files }}\n"
                     "_kern() {{\n"
                     "  local -a commands\n"
                     "  commands=(\n{}  )\n"
                     "  if ((CURRENT == 2)); then\n"
                     "    _describe command commands\n"
                     "    return\n"
                     "  fi\n"
                     "  local command=$words[2]\n"
                     "  shift words\n"
                     "  ((CURRENT--))\n"
                     "  case $command in\n{}  esac\n"
                     "}}\n"
                     "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _kern \"$@\"; else compdef _kern kern; fi\n",
                     commands, cases);
}

std::string fish_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string fish() {
  std::string out = "# fish completion for kern\n";
  for_each_command([&](const CommandEntry& entry, const std::vector<const CLI::Option*>& options) {
    out += fmt::format("complete -c kern -f -n __fish_use_subcommand -a {} -d '{}'\n", entry.name,
                       fish_text(std::string(entry.summary)));
    for (const CLI::Option* option : options) {
      std::string line = fmt::format("complete -c kern -n '__fish_seen_subcommand_from {}'", entry.name);
      for (const std::string& name : spellings_of(*option))
        line +=
            name.starts_with("--") ? " -l " + name.substr(2) : (name.size() == 2 ? " -s " : " -o ") + name.substr(1);
      const std::vector<std::string> choices = choices_of(*option);
      if (takes_model(*option)) line += " -r -a '(kern list --names 2>/dev/null)'";
      else if (takes_file(*option)) line += " -r";
      else if (!choices.empty()) line += fmt::format(" -x -a '{}'", fmt::join(choices, " "));
      else if (takes_value(*option)) line += " -x";
      out += line + fmt::format(" -d '{}'\n", fish_text(option->get_description()));
    }
  });
  return out;
}

int print_completions(CompletionFlags& flags) {
  write_output(flags.shell == "bash" ? bash() : flags.shell == "zsh" ? zsh() : fish());
  return 0;
}

void declare(CLI::App& app, CompletionFlags& flags) {
  app.add_option("shell", flags.shell, "bash, zsh or fish")
      ->type_name("bash|zsh|fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""));
}

} // namespace

Command completions_command() {
  return make_command<CompletionFlags>(
      "kern completions",
      "Prints what completes commands, flags and models in a shell, as in: source <(kern completions bash), kern "
      "completions zsh > DIR/_kern for a folder of $fpath, kern completions fish | source.",
      declare, print_completions);
}

} // namespace kern
