// kern run: one prompt, one answer.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "cli/answer_stream.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/extract.h"
#include "cli/input.h"
#include "cli/loaded_model.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/run_model.h"
#include "cli/session_turn.h"
#include "cli/signals.h"
#include "cli/template_flags.h"
#include "cli/terminal.h"

namespace kern {

namespace {

/// `turn`: of a session, or nothing.
Prompt encode_prompt(const RunFlags& flags, const LoadedModel& loaded, const std::string& prompt,
                     const SessionTurn* turn) {
  const Tokenizer& tokenizer = *loaded.tokenizer;
  Prompt encoded{{}, tokenizer.special().end_of_generation};
  if (flags.prompt.raw && flags.chat.source)
    throw Error(ExitCode::usage, "--raw completes without a chat template, --chat-template gives one; use one of them");
  const auto chat =
      flags.prompt.raw ? std::nullopt : choose_template(flags.chat, &loaded.gguf.metadata(), ExitCode::model);
  if (!chat) {
    if (turn)
      throw Error(ExitCode::usage, "--session: found no chat template to write a conversation with; name one by "
                                   "--chat-template, and leave --raw out");
    if (flags.prompt.system)
      throw Error(
          ExitCode::usage,
          "--system: this model has no chat template to put a system text in; write it into the prompt, or name "
          "a template by --chat-template");
    // As it is, with the model's own control tokens understood.
    encoded.tokens = tokenizer.encode(prompt, {.add_special = true, .parse_special = true});
    return encoded;
  }
  const ConversationEncoder encoder(*chat, flags.chat, tokenizer);
  std::vector<ChatMessage> messages;
  if (turn) {
    messages = turn->messages();
  } else {
    if (flags.prompt.system) messages.push_back({"system", *flags.prompt.system});
    messages.push_back({"user", prompt});
  }
  const jinja::Text rendered = encoder.render(messages);
  return {encode_conversation(tokenizer, rendered), encoder.end_tokens(), 0, encoder.plan_thinking(rendered)};
}

/// Positions of the session. Throws Error(context_full) where the prompt and a first token don't fit.
int fit_context(const RunFlags& flags, const ModelSpec& spec, std::size_t prompt_tokens) {
  const int context = choose_context(flags.context, flags.model, spec.context_length);
  const bool generates = flags.generation.max_tokens != 0;
  if (prompt_tokens + (generates ? 1 : 0) > static_cast<std::size_t>(context))
    throw Error(ExitCode::context_full, fmt::format("the prompt has {} tokens{}, but the context holds {}; shorten it "
                                                    "or raise -c (the model was trained for {})",
                                                    prompt_tokens, generates ? " and the answer needs one more" : "",
                                                    context, spec.context_length));
  if (flags.generation.max_tokens < 0) return context;
  const std::int64_t needed = static_cast<std::int64_t>(prompt_tokens) + flags.generation.max_tokens;
  return static_cast<int>(std::min<std::int64_t>(context, std::max<std::int64_t>(needed, 1)));
}

/// Where the answer goes.
Shown choose_shown(const RunFlags& flags) {
  const GenerationFlags& generation = flags.generation;
  if (generation.jsonl) return Shown::events;
  if (generation.json) return Shown::nowhere;
  if (!generation.extract.empty()) return flags.model.quiet ? Shown::nowhere : Shown::aside;
  return flags.model.quiet ? Shown::answer : Shown::all;
}

/// Writes what wasn't written while the answer came.
void write_rest(const RunFlags& flags, const RunReport& report) {
  nlohmann::ordered_json json;
  if (flags.generation.json) {
    write_output(dump_json(report_json(report)));
  } else if (flags.generation.jsonl) {
    json["event"] = "end";
    json.update(report_json(report));
    write_output(dump_json_line(json));
  } else if (report.extracted) {
    const std::string text = *report.extracted + (report.extracted->ends_with('\n') ? "" : "\n");
    write_output(stdout_is_terminal() ? escape_controls(text) : text);
  }
}

/// What went wrong, which is told after the report.
std::optional<Error> store(SessionTurn& turn, const std::string& answer, const GenerateResult& result) {
  try {
    turn.store(answer, result);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// Flags that make no sense together, and the system text of a file.
void check_flags(RunFlags& flags) {
  const GenerationFlags& generation = flags.generation;
  if (generation.json && generation.jsonl)
    throw Error(ExitCode::usage, "--json prints one object, --jsonl a line an event; use one of them");
  if (generation.top_logprobs && !generation.json && !generation.jsonl)
    throw Error(ExitCode::usage, "--top-logprobs says what it found in the report of --json; give both");
  if (flags.prompt.raw && (flags.chat.think != ThinkMode::aside || flags.chat.think_budget))
    throw Error(ExitCode::usage, "--raw completes a text, in which nothing is told to be thinking; leave --think and "
                                 "--think-budget out");
  if (flags.prompt.system_file) {
    if (flags.prompt.system) throw Error(ExitCode::usage, "--system and --system-file: expected one of them");
    flags.prompt.system = read_system_file(*flags.prompt.system_file, flags.model.quiet);
  }
}

int run_prompt(RunFlags& flags) {
  const GenerationFlags& generation = flags.generation;
  check_flags(flags);
  const std::string prompt = read_prompt(flags.prompt, flags.model.quiet);
  const auto begin = std::chrono::steady_clock::now();
  const LoadedModel loaded = load_headers(flags.model);
  std::optional<SessionTurn> turn;
  if (flags.session) turn.emplace(*flags.session, flags.prompt.system, prompt);
  if (turn && !turn->repair().empty()) write_notice(fmt::format("kern: {}\n", turn->repair()));
  const Prompt encoded = encode_prompt(flags, loaded, prompt, turn ? &*turn : nullptr);
  if (encoded.tokens.empty())
    throw Error(ExitCode::usage,
                "the prompt is empty, and the model has no token to begin a text with; give it some text");
  const int context = fit_context(flags, loaded.spec, encoded.tokens.size());
  std::optional<GentleEnd> gentle_end; // until everything is written
  RunReport report = run_model(flags, {loaded, encoded, context, choose_shown(flags), begin}, gentle_end);
  const auto not_stored = turn ? store(*turn, report.text, report.result) : std::nullopt;
  if (!generation.extract.empty()) {
    report.extract = generation.extract;
    report.extracted = generation.extract == "code" ? extract_code(report.text) : extract_json(report.text);
  }
  write_rest(flags, report);
  if (!flags.model.quiet) write_notice(report_table(report));
  if (not_stored) throw *not_stored;
  const ExitCode code = exit_code(report);
  if (code == ExitCode::constraint)
    throw Error(code, fmt::format("--extract {}: found no whole {} in the answer; without the flag, or by --json, kern "
                                  "prints the answer as it is",
                                  report.extract, report.extract == "code" ? "code block" : "JSON value"));
  return static_cast<int>(code);
}

} // namespace

Command run_command() {
  return make_command<RunFlags>("kern run", "Answers one prompt and streams the answer to standard output.",
                                add_run_flags, run_prompt);
}

} // namespace kern
