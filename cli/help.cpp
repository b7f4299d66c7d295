#include "cli/help.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t screen_lines = 24;
constexpr std::size_t about_column = 27;

/// What nearly everyone uses, of those commands that have more than a screen of options.
/// What nearly everyone uses, of those commands that have more than a screen of options; the first first.
constexpr std::string_view usual[] = {"model", "predict", "ctx-size", "system", "file", "temp",  "top-k",   "top-p",
                                      "seed",  "think",   "stop",     "raw",    "json", "quiet", "threads", "session"};

constexpr std::string_view exit_codes =
    "Exit codes of kern:\n\n"
    "    0  the model ended its answer, or the tokens asked for with -n were given\n"
    "    1  kern replay: the output is another\n"
    "    2  usage\n"
    "    3  the model file is missing, damaged or unsupported\n"
    "    4  the prompt doesn't fit the context\n"
    "    5  the answer was cut at the context's end or by --max-time\n"
    "    6  out of memory\n"
    "    7  --extract found nothing whole to print\n"
    "    8  output could not be written\n"
    "    9  the GPU or its driver failed\n"
    "  129  the terminal went away (SIGHUP)\n"
    "  130  Ctrl-C\n"
    "  143  SIGTERM\n";

constexpr std::string_view environment =
    "Variables of the environment:\n\n"
    "  KERN_MODEL     the model where -m names none\n"
    "  KERN_MODELS    folders with models for -m NAME and kern list, divided by colons\n"
    "  KERN_CPU       the instruction set: amx, avx512, avxvnni, avx2, i8mm, neon, portable\n"
    "  KERN_GPU_OVERLAP=0  a GPU's kernels begin only when the one before has ended; the answer is the same\n"
    "  KERN_GPU_WGMMA=0    prompts do without an H100's or H200's products of warpgroups; with 16-bit weights the\n"
    "                      answer may be another\n"
    "  KERN_<FLAG>    any other flag: KERN_TEMP=0.2, KERN_CTX_SIZE=4096, KERN_JSON=1;\n"
    "                 the command line wins\n"
    "  NO_COLOR       if not empty, no colour and no dimmed text\n"
    "  HF_HOME, HF_HUB_CACHE, OLLAMA_MODELS    where other tools keep models\n";

std::size_t count_lines(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

/// `text` in lines, of which all but the first begin at a column.
std::string wrap(std::string_view text, std::size_t column) {
  std::string out;
  std::size_t at = column;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find(' '), text.size());
    if (at > column && at + 1 + length > columns) {
      out += "\n" + std::string(column, ' ');
      at = column;
    } else if (at > column) {
      out += ' ';
      ++at;
    }
    out += text.substr(0, length);
    at += length;
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return out + "\n";
}

std::string usage_line(const CLI::App& app) {
  std::string line = fmt::format("usage: {} [options]", app.get_name());
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional())
      line += (option->get_required() ? " " : " [") + value_name(*option) + (option->get_required() ? "" : "]");
  return line + "\n";
}

std::vector<std::string> topics_of(const CLI::App& app) {
  std::vector<std::string> topics;
  for (const CLI::Option* option : shown_options(app))
    if (option->get_group() != "Options" && std::ranges::find(topics, option->get_group()) == topics.end())
      topics.push_back(option->get_group());
  return topics;
}

std::string lines_of(const std::vector<const CLI::Option*>& options) {
  std::string out;
  for (const CLI::Option* option : options) out += option_lines(*option);
  return out;
}

/// A command's own options, then the usual ones of those it shares with others.
std::vector<const CLI::Option*> first_options(const std::vector<const CLI::Option*>& options) {
  std::vector<const CLI::Option*> first;
  std::ranges::copy_if(options, std::back_inserter(first),
                       [](const CLI::Option* option) { return option->get_group() == "Options"; });
  for (const std::string_view name : usual)
    std::ranges::copy_if(options, std::back_inserter(first), [&](const CLI::Option* option) {
      return option->get_group() != "Options" && option->check_lname(std::string(name));
    });
  return first;
}

std::string list_of_commands() {
  std::string text = "kern runs large language models from the terminal.\n\nusage: kern COMMAND [options]\n\n";
  for (const CommandEntry& entry : all_commands()) text += fmt::format("  {:<12} {}\n", entry.name, entry.summary);
  return text + "\n`kern COMMAND --help` lists a command's options. `kern help environment` and\n"
                "`kern help exit-codes` say more, `kern --version` says which kern this is.\n";
}

} // namespace

std::vector<const CLI::Option*> shown_options(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : app.get_options())
    if (option->nonpositional() && !option->check_lname("help")) options.push_back(option);
  return options;
}

std::string value_name(const CLI::Option& option) {
  const std::string type = option.get_type_name(); // CLI11 puts what is allowed behind a colon
  return option.get_items_expected_max() > 0 ? type.substr(0, type.find(':')) : std::string();
}

std::string option_head(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const ShortSpelling& known : short_spellings())
    if (option.check_name(std::string(known.flag))) names.emplace_back(known.spelling);
  if (!option.get_lnames().empty()) names.push_back("--" + option.get_lnames()[0]);
  std::string head = fmt::format("{}", fmt::join(names, ", "));
  const std::string value = value_name(option);
  return value.empty() ? head : head + " " + value;
}

std::string option_about(const CLI::Option& option) {
  std::string about = option.get_description();
  if (!option.get_default_str().empty() && option.get_items_expected_max() > 0)
    about += fmt::format(" ({})", option.get_default_str());
  return about;
}

std::string option_lines(const CLI::Option& option) {
  std::string line = "  " + option_head(option);
  line += line.size() + 1 < about_column ? std::string(about_column - line.size(), ' ')
                                         : "\n" + std::string(about_column, ' ');
  return line + wrap(option_about(option), about_column);
}

std::string help_text(const CLI::App& app, std::string_view topic) {
  const std::vector<const CLI::Option*> options = shown_options(app);
  const std::vector<std::string> topics = topics_of(app);
  if (!topic.empty()) {
    std::vector<const CLI::Option*> wanted;
    std::ranges::copy_if(options, std::back_inserter(wanted),
                         [&](const CLI::Option* option) { return option->get_group() == topic; });
    if (wanted.empty())
      throw Error(ExitCode::usage,
                  fmt::format("{} --help: found topic '{}', expected {}", app.get_name(), escape_line(topic),
                              topics.empty() ? "none" : fmt::format("{}", fmt::join(topics, ", "))));
    return fmt::format("{}: {}\n\n", app.get_name(), topic) + lines_of(wanted);
  }
  const std::string head = wrap(app.get_description(), 0) + "\n" + usage_line(app) + "\n";
  const std::string all = lines_of(options);
  if (count_lines(head) + count_lines(all) <= screen_lines) return head + all;
  const std::string foot =
      "\n" + wrap(fmt::format("All options: {} --help TOPIC, of {}", app.get_name(), fmt::join(topics, ", ")), 0);
  std::string body;
  for (const CLI::Option* option : first_options(options)) {
    const std::string lines = option_lines(*option);
    if (count_lines(head) + count_lines(body) + count_lines(lines) + count_lines(foot) <= screen_lines) body += lines;
  }
  return head + body + foot;
}

std::string general_help(const std::vector<std::string>& words) {
  if (words.empty()) return list_of_commands();
  if (words[0] == "exit-codes") return std::string(exit_codes);
  if (words[0] == "environment") return std::string(environment);
  std::vector<std::string> names{"exit-codes", "environment"};
  for (const CommandEntry& entry : all_commands()) {
    if (words[0] == entry.name) return help_text(*entry.make().app, words.size() > 1 ? words[1] : "");
    names.emplace_back(entry.name);
  }
  // A topic alone is one of the first command's.
  const Command first = all_commands()[0].make();
  const std::vector<std::string> topics = topics_of(*first.app);
  if (std::ranges::find(topics, words[0]) != topics.end()) return help_text(*first.app, words[0]);
  names.insert(names.end(), topics.begin(), topics.end());
  throw Error(ExitCode::usage, fmt::format("help: '{}' is neither a command nor a topic{}; `kern help` lists them",
                                           escape_line(words[0]), did_you_mean(words[0], names)));
}

} // namespace kern
