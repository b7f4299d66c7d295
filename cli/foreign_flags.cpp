#include "cli/foreign_flags.h"

#include <algorithm>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

enum class Fate {
  means,   // `text` is kern's flag; a value goes with it
  idle,    // it can't change a result
  refused, // `text` is kern's way
};

struct ForeignFlag {
  std::string_view spelling;
  Fate fate;
  bool has_value;
  std::string_view text = {};
};

constexpr std::string_view one_turn = "kern run answers once; `kern chat` is a conversation";
constexpr std::string_view no_grammar =
    "kern has no constrained output yet; --extract json takes JSON out of an answer";
constexpr std::string_view no_draft = "kern has no speculative decoding yet; leave it out";
constexpr std::string_view no_adapter = "kern runs no adapters yet; merge it into the model";
constexpr std::string_view no_media = "kern reads text only";
constexpr std::string_view no_rope = "kern takes the rope from the model file; leave it out";
constexpr std::string_view no_shift =
    "kern never drops what was said: a full context ends the answer with code 5; raise -c";
constexpr std::string_view shell_escapes = "kern takes the prompt as it is; write a line feed as $'\\n' in the shell";

constexpr ForeignFlag foreign_flags[] = {
    // What has another name here.
    {"-hf", Fate::means, true, "--model"},
    {"--hf-repo", Fate::means, true, "--model"},
    {"--system-prompt", Fate::means, true, "--system"},
    {"--system-prompt-file", Fate::means, true, "--system-file"},
    {"--chat-template-file", Fate::means, true, "--chat-template"},
    {"--reasoning-budget", Fate::means, true, "--think-budget"},
    {"--max-tokens", Fate::means, true, "--predict"},
    {"--max-new-tokens", Fate::means, true, "--predict"},
    {"--num-predict", Fate::means, true, "--predict"},
    {"--context-size", Fate::means, true, "--ctx-size"},
    {"--num-ctx", Fate::means, true, "--ctx-size"},
    {"--repetition-penalty", Fate::means, true, "--repeat-penalty"},
    {"--n-probs", Fate::means, true, "--top-logprobs"},
    {"--hidethinking", Fate::means, false, "--think=hide"},
    {"-no-cnv", Fate::means, false, "--raw"},
    {"--no-conversation", Fate::means, false, "--raw"},
    {"--silent-prompt", Fate::idle, false},
    // What changes no result of kern: speed, other output, defaults of kern spelled out.
    {"-tb", Fate::idle, true},
    {"--threads-batch", Fate::idle, true},
    {"-fit", Fate::idle, true},
    {"--fit", Fate::idle, true},
    {"-fitt", Fate::idle, true},
    {"--fit-target", Fate::idle, true},
    {"-fitc", Fate::idle, true},
    {"--fit-ctx", Fate::idle, true},
    {"-cmoe", Fate::idle, false},
    {"--cpu-moe", Fate::idle, false},
    {"-ncmoe", Fate::idle, true},
    {"--n-cpu-moe", Fate::idle, true},
    {"-ot", Fate::idle, true},
    {"--override-tensor", Fate::idle, true},
    {"-sm", Fate::idle, true},
    {"--split-mode", Fate::idle, true},
    {"-ts", Fate::idle, true},
    {"--tensor-split", Fate::idle, true},
    {"-mg", Fate::idle, true},
    {"--main-gpu", Fate::idle, true},
    {"-lm", Fate::idle, true},
    {"--load-mode", Fate::idle, true},
    {"--mmap", Fate::idle, false},
    {"--no-mmap", Fate::idle, false},
    {"--mlock", Fate::idle, false},
    {"--numa", Fate::idle, true},
    {"--prio", Fate::idle, true},
    {"--poll", Fate::idle, true},
    {"-st", Fate::idle, false},
    {"--single-turn", Fate::idle, false},
    {"--no-display-prompt", Fate::idle, false},
    {"--no-escape", Fate::idle, false},
    {"--jinja", Fate::idle, false},
    {"--no-context-shift", Fate::idle, false},
    {"--prompt-cache", Fate::idle, true},
    {"--prompt-cache-all", Fate::idle, false},
    {"--prompt-cache-ro", Fate::idle, false},
    {"--simple-io", Fate::idle, false},
    {"-v", Fate::idle, false},
    {"--verbose", Fate::idle, false},
    {"-lv", Fate::idle, true},
    {"--log-verbosity", Fate::idle, true},
    {"--verbosity", Fate::idle, true},
    {"--log-file", Fate::idle, true},
    {"--log-disable", Fate::idle, false},
    {"--log-colors", Fate::idle, true},
    {"--show-timings", Fate::idle, false},
    {"--no-show-timings", Fate::idle, false},
    {"--no-perf", Fate::idle, false},
    {"--no-warmup", Fate::idle, false},
    {"--warmup", Fate::idle, false},
    {"--offline", Fate::idle, false},
    {"--nowordwrap", Fate::idle, false},
    {"--keepalive", Fate::idle, true},
    {"--cli", Fate::idle, false},
    // What would change the result.
    {"--grammar", Fate::refused, true, no_grammar},
    {"--grammar-file", Fate::refused, true, no_grammar},
    {"-j", Fate::refused, true, no_grammar},
    {"--json-schema", Fate::refused, true, no_grammar},
    {"-jf", Fate::refused, true, no_grammar},
    {"--json-schema-file", Fate::refused, true, no_grammar},
    {"--format", Fate::refused, true, no_grammar},
    {"-cnv", Fate::refused, false, one_turn},
    {"--conversation", Fate::refused, false, one_turn},
    {"-i", Fate::refused, false, one_turn},
    {"--interactive", Fate::refused, false, one_turn},
    {"-if", Fate::refused, false, one_turn},
    {"--interactive-first", Fate::refused, false, one_turn},
    {"-mli", Fate::refused, false, one_turn},
    {"--multiline-input", Fate::refused, false, one_turn},
    {"--in-prefix", Fate::refused, true, "kern writes what the chat template says; --raw completes a text of your own"},
    {"--in-suffix", Fate::refused, true, "kern writes what the chat template says; --raw completes a text of your own"},
    {"-sp", Fate::refused, false, "control tokens are no part of an answer; --json has their ids"},
    {"--special", Fate::refused, false, "control tokens are no part of an answer; --json has their ids"},
    {"-e", Fate::refused, false, shell_escapes},
    {"--escape", Fate::refused, false, shell_escapes},
    {"--no-jinja", Fate::refused, false, "kern runs the model's own template; --chat-template takes another"},
    {"--keep", Fate::refused, true, no_shift},
    {"--context-shift", Fate::refused, false, no_shift},
    {"-md", Fate::refused, true, no_draft},
    {"--model-draft", Fate::refused, true, no_draft},
    {"--spec-type", Fate::refused, true, no_draft},
    {"--draft", Fate::refused, true, no_draft},
    {"--draft-max", Fate::refused, true, no_draft},
    {"--draft-min", Fate::refused, true, no_draft},
    {"--spec-draft-n-max", Fate::refused, true, no_draft},
    {"--spec-draft-n-min", Fate::refused, true, no_draft},
    {"--lora", Fate::refused, true, no_adapter},
    {"--lora-scaled", Fate::refused, true, no_adapter},
    {"--control-vector", Fate::refused, true, no_adapter},
    {"--mmproj", Fate::refused, true, no_media},
    {"--image", Fate::refused, true, no_media},
    {"--audio", Fate::refused, true, no_media},
    {"--rope-scaling", Fate::refused, true, no_rope},
    {"--rope-scale", Fate::refused, true, no_rope},
    {"--rope-freq-base", Fate::refused, true, no_rope},
    {"--rope-freq-scale", Fate::refused, true, no_rope},
    {"--yarn-orig-ctx", Fate::refused, true, no_rope},
    {"--yarn-ext-factor", Fate::refused, true, no_rope},
    {"--override-kv", Fate::refused, true, "kern takes the model as its file says; change the file"},
    {"-o", Fate::refused, true, "standard output is the answer and nothing else; write it to a file with > FILE"},
    {"--output", Fate::refused, true, "standard output is the answer and nothing else; write it to a file with > FILE"},
    {"--tfs", Fate::refused, true, "tail-free sampling was dropped by everyone; --min-p or --top-nsigma do its work"},
    {"--penalize-nl", Fate::refused, false, "a line feed is penalized as any token; --logit-bias favours it"},
};

/// Flags whose values have to be understood.
std::optional<std::string> translate_value(std::string_view name, const std::string& value) {
  const bool off = value == "off" || value == "0" || value == "false" || value == "disabled";
  const bool on = value == "on" || value == "1" || value == "true" || value == "enabled" || value == "auto";
  if (name == "-rea" || name == "--reasoning") {
    if (off) return "--think=off";
    if (on) return value == "auto" ? "" : "--chat-template-kwargs={\"enable_thinking\": true, \"thinking\": true}";
  } else if (name == "--reasoning-format") {
    if (value == "none") return "--think=show";
    if (value == "auto" || value.starts_with("deepseek")) return "";
  } else if (name == "-fa" || name == "--flash-attn") {
    if (on || off) return "";
  } else if (name == "--color" || name == "-co") {
    if (on || off) return "";
  }
  return std::nullopt;
}

bool is_value_flag(std::string_view name) {
  constexpr std::string_view names[] = {"-rea",    "--reasoning", "--reasoning-format", "-fa", "--flash-attn",
                                        "--color", "-co"};
  return std::ranges::find(names, name) != std::end(names);
}

/// Of "--flag=value", or the argument behind.
std::optional<std::string> take_value(std::string_view argument, std::vector<std::string>& rest) {
  const std::size_t equals = argument.find('=');
  if (equals != std::string_view::npos) return std::string(argument.substr(equals + 1));
  if (rest.empty()) return std::nullopt;
  std::string value = std::move(rest.back());
  rest.pop_back();
  return value;
}

[[noreturn]] void refuse(std::string_view name, std::string_view why) {
  throw Error(ExitCode::usage, fmt::format("{}: {}", escape_line(name), why));
}

} // namespace

bool translate_foreign_flag(const CLI::App& app, std::string_view argument, std::vector<std::string>& rest,
                            std::vector<std::string>& out) {
  const std::string_view name = argument.substr(0, argument.find('='));
  if (is_value_flag(name)) {
    // -fa and --color stood alone once.
    const bool may_stand_alone = name != "-rea" && !name.starts_with("--reasoning");
    const bool alone =
        may_stand_alone && name.size() == argument.size() && (rest.empty() || !translate_value(name, rest.back()));
    if (alone) return true;
    const auto value = take_value(argument, rest);
    const auto meaning = value ? translate_value(name, *value) : std::nullopt;
    if (!meaning) refuse(name, "expected on, off, auto or what llama.cpp takes; kern's own flag is --think");
    if (!meaning->empty()) out.push_back(*meaning);
    return true;
  }
  const auto known = std::ranges::find(foreign_flags, name, &ForeignFlag::spelling);
  if (known == std::end(foreign_flags)) return false;
  if (known->fate == Fate::refused) refuse(name, known->text);
  const std::string_view target = known->text.substr(0, known->text.find('='));
  if (known->fate == Fate::means && !app.get_option_no_throw(std::string(target)))
    refuse(name, fmt::format("this is {} of other commands; {} has no such flag", target, app.get_name()));
  const auto value = known->has_value ? take_value(argument, rest) : std::nullopt;
  if (known->has_value && !value) refuse(name, "expected a value behind it");
  if (known->fate == Fate::idle) return true;
  // -1 is "without a budget".
  if (target == "--think-budget" && *value == "-1") return true;
  out.push_back(known->has_value ? fmt::format("{}={}", target, *value) : std::string(known->text));
  return true;
}

} // namespace kern
