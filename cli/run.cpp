// kern run: one prompt, one answer.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "cli/answer_stream.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/input.h"
#include "cli/loaded_model.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session_turn.h"
#include "cli/signals.h"
#include "cli/template_flags.h"
#include "engine/generate.h"
#include "engine/session.h"

namespace kern {

namespace {

struct RunFlags {
  ModelFlags model;
  ContextFlags context;
  PromptFlags prompt;
  TemplateFlags chat;
  GenerationFlags generation;
  std::optional<std::string> session;
};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// `turn`: of a session, or nothing.
Prompt encode_prompt(const RunFlags& flags, const LoadedModel& loaded, const std::string& prompt,
                     const SessionTurn* turn) {
  const Tokenizer& tokenizer = *loaded.tokenizer;
  Prompt encoded{{}, tokenizer.special().end_of_generation, 0};
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
  if (turn) return {encoder.encode(turn->messages()), encoder.end_tokens(), 0};
  std::vector<ChatMessage> messages;
  if (flags.prompt.system) messages.push_back({"system", *flags.prompt.system});
  messages.push_back({"user", prompt});
  return {encoder.encode(messages), encoder.end_tokens(), 0};
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

/// What went wrong, which is told after the report.
std::optional<Error> store(SessionTurn& turn, const std::string& answer, const GenerateResult& result) {
  try {
    turn.store(answer, result);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

int run_model(const RunFlags& flags, Clock::time_point begin, const std::string& prompt) {
  const LoadedModel loaded = load_headers(flags.model);
  std::optional<SessionTurn> turn;
  if (flags.session) turn.emplace(*flags.session, flags.prompt.system, prompt);
  if (turn && !turn->repair().empty()) write_notice(fmt::format("kern: {}\n", turn->repair()));
  const Prompt encoded = encode_prompt(flags, loaded, prompt, turn ? &*turn : nullptr);
  const std::vector<Token>& tokens = encoded.tokens;
  if (tokens.empty())
    throw Error(ExitCode::usage,
                "the prompt is empty, and the model has no token to begin a text with; give it some text");

  SessionOptions options;
  options.context = fit_context(flags, loaded.spec, tokens.size());
  // Scratch grows with the step, so it is no longer than the prompt.
  options.step_tokens = static_cast<int>(std::min<std::size_t>(
      static_cast<std::size_t>(std::min(flags.context.step_tokens, flags.context.batch)), tokens.size()));
  options.key_format = flags.context.key_format;
  options.value_format = flags.context.value_format;
  const SamplerOptions sampling = sampler_options(flags.generation, loaded.spec.vocab_size);

  const Model model(loaded.gguf, *loaded.backend);
  Session session = make_session(model, options);
  Sampler sampler(sampling, static_cast<std::size_t>(loaded.spec.vocab_size));

  const GentleEnd gentle_end; // until here there was nothing to write
  RunReport report;
  report.load_seconds = seconds_since(begin);
  const bool at_start = loaded.tokenizer->restarts_text(tokens.back());
  AnswerStream answer(*loaded.tokenizer, !flags.generation.json, at_start);
  report.result = stream_answer(flags.generation, flags.model.quiet, session, sampler, encoded, answer);

  const auto not_stored = turn ? store(*turn, answer.text(), report.result) : std::nullopt;

  report.model_path = loaded.gguf.name();
  report.model_name = loaded.spec.name;
  report.architecture = loaded.spec.architecture;
  report.format = main_format(loaded.gguf);
  report.model_bytes = loaded.gguf.file_bytes();
  report.device = loaded.backend->description();
  report.context = options.context;
  report.key_format = cache_type_name(options.key_format);
  report.value_format = cache_type_name(options.value_format);
  report.prompt_tokens = tokens.size();
  const MemoryUse matrices = plan_weights(loaded.gguf, loaded.spec, model.backends(), model.placement()).matrices;
  report.weight_bytes = matrices.mapped_bytes + matrices.private_bytes;
  report.cache_bytes_per_position =
      plan_session(loaded.spec, model.placement(), model.backends(), options).cache_bytes_per_page / page_positions;
  report.sampler = sampling;
  report.text = answer.text();
  if (flags.generation.json) write_output(dump_json(report_json(report)));
  if (!flags.model.quiet) write_notice(report_table(report));
  if (not_stored) throw *not_stored;
  return static_cast<int>(exit_code(report.result.reason));
}

} // namespace

int run_command(std::vector<std::string> arguments) {
  RunFlags flags;
  CLI::App app("Answers one prompt and streams the answer to standard output.", "kern run");
  add_prompt_flags(app, flags.prompt);
  add_session_flag(app, flags.session);
  add_template_flags(app, flags.chat);
  add_model_flags(app, flags.model);
  add_context_flags(app, flags.context);
  add_generation_flags(app, flags.generation);
  if (!parse_flags(app, std::move(arguments))) return 0;
  const std::string prompt = read_prompt(flags.prompt, flags.model.quiet);
  return run_model(flags, Clock::now(), prompt);
}

} // namespace kern
