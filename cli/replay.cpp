// kern replay: runs what a report says again, and compares.
#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/loaded_model.h"
#include "cli/model_file.h"
#include "cli/output.h"
#include "cli/replay_record.h"
#include "cli/run_model.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

struct ReplayFlags {
  ModelFlags model;
  std::string report; // positional
};

[[noreturn]] void fail(const ReplayFlags& flags, ExitCode code, const std::string& message) {
  throw Error(code, fmt::format("{}: {}", flags.report, message));
}

void check_ids(const ReplayFlags& flags, const ReplayRecord& record, std::size_t vocab_size) {
  const auto is_token = [&](Token id) { return id >= 0 && static_cast<std::size_t>(id) < vocab_size; };
  for (const auto* ids :
       {&record.prompt.tokens, &record.prompt.end_tokens, &record.tokens, &record.prompt.think.closing})
    if (!std::ranges::all_of(*ids, is_token))
      fail(flags, ExitCode::usage, fmt::format("found an id outside 0..{}, expected ids of the model", vocab_size - 1));
  if (record.prompt.tokens.empty()) fail(flags, ExitCode::usage, "found no prompt_ids, expected some");
  const bool fits = record.context > 0 && record.context <= 1 << 30 &&
                    record.prompt.tokens.size() <= static_cast<std::size_t>(record.context);
  if (!fits)
    fail(flags, ExitCode::usage,
         fmt::format("found a context of {}, expected one that holds the {} tokens of the prompt", record.context,
                     record.prompt.tokens.size()));
}

/// The flags of the run, parsed as it had them.
void restore_flags(const ReplayFlags& flags, const ReplayRecord& record, CLI::App& app, RunFlags& run) {
  add_run_flags(app, run);
  std::vector<std::string> arguments = record.flags;
  arguments.push_back("--cache-type-k=" + record.key_type);
  arguments.push_back("--cache-type-v=" + record.value_type);
  for (const std::string& argument : arguments)
    if (!argument.starts_with("--") || argument.find('=') < 3 || argument.find('=') == std::string::npos)
      fail(flags, ExitCode::usage, fmt::format("found the flag '{}', expected --NAME=VALUE", escape_line(argument)));
  parse_flags(app, arguments); // none of them asks for help
  run.model = flags.model;
  run.generation.seed = record.seed;
  if (record.cut_from_outside) run.generation.max_tokens = static_cast<int>(record.tokens.size());
}

/// A line that says where the new run leaves the old one; empty where it doesn't.
std::string first_difference(const ReplayRecord& record, const RunReport& report) {
  const std::vector<Token>& now = report.result.tokens;
  const auto [was, is] = std::ranges::mismatch(record.tokens, now);
  if (was != record.tokens.end() || is != now.end()) {
    const auto describe = [&](auto at, auto end) {
      return at == end ? std::string("the end") : fmt::format("{} '{}'", *at, escape_line(report.token_text(*at)));
    };
    return fmt::format("different: token {} is {}, the report has {}\n", is - now.begin() + 1, describe(is, now.end()),
                       describe(was, record.tokens.end()));
  }
  // What JSON can't hold was replaced in the report.
  const bool same = dump_json_line(report.text) == dump_json_line(record.text) &&
                    dump_json_line(report.thinking) == dump_json_line(record.thinking);
  return same || record.cut_from_outside ? std::string() : "different: the tokens are the same, the text is not\n";
}

int replay(ReplayFlags& flags) {
  const ReplayRecord record = read_record(read_text_file(flags.report, flags.model.quiet), flags.report);
  RunFlags run;
  CLI::App app("", "kern run");
  if (flags.model.path.empty()) {
    flags.model.demo = record.model_path == demo_model_name;
    if (!flags.model.demo) flags.model.path = record.model_path;
  }
  restore_flags(flags, record, app, run);
  const LoadedModel loaded = load_headers(flags.model);
  if (const std::string found = fingerprint(loaded.gguf); found != record.fingerprint)
    fail(flags, ExitCode::model,
         fmt::format("found {} with fingerprint {}, expected the model of the report, {}; name "
                     "it by -m",
                     loaded.gguf.name(), found, escape_line(record.fingerprint)));
  check_ids(flags, record, loaded.tokenizer->vocab_size());
  std::optional<GentleEnd> gentle_end;
  const RunReport report = run_model(run, {loaded, record.prompt, record.context, Shown::nowhere}, gentle_end);
  if (report.result.reason == EndReason::interrupted)
    throw Error(interruption_code(), interruption_name() + "; nothing was compared");
  const std::string difference = first_difference(record, report);
  write_output(difference.empty() ? fmt::format("identical: {} tokens\n", report.result.tokens.size()) : difference);
  return static_cast<int>(difference.empty() ? ExitCode::ok : ExitCode::different);
}

void declare(CLI::App& app, ReplayFlags& flags) {
  app.add_option("report", flags.report, "what `kern run --json` printed; - is standard input")
      ->type_name("REPORT")
      ->required();
  add_model_flags(app, flags.model);
  app.get_option("--model")->description("the model, if it is no longer where the report says");
}

} // namespace

Command replay_command() {
  return make_command<ReplayFlags>("kern replay",
                                   "Runs the prompt of a report again, with its flags and seed, and compares tokens "
                                   "and text: exit code 0 where they "
                                   "are identical, 1 where they differ.",
                                   declare, replay);
}

} // namespace kern
