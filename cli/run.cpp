// kern run: one prompt, one answer.
#include <algorithm>
#include <chrono>
#include <random>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/template_flags.h"
#include "cli/terminal.h"
#include "engine/generate.h"
#include "engine/session.h"
#include "model/architectures/registry.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/detokenizer.h"
#include "tokenizer/tokenizer.h"

namespace kern {

namespace {

struct RunFlags {
  ModelFlags model;
  ContextFlags context;
  PromptFlags prompt;
  TemplateFlags chat;
  GenerationFlags generation;
};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct Prompt {
  std::vector<Token> tokens;
  std::vector<Token> end_tokens; // ascending
};

Prompt encode_prompt(const RunFlags& flags, const Metadata& metadata, const Tokenizer& tokenizer,
                     const std::string& prompt) {
  Prompt encoded{{}, tokenizer.special().end_of_generation};
  if (flags.prompt.raw && flags.chat.source)
    throw Error(ExitCode::usage, "--raw completes without a chat template, --chat-template gives one; use one of them");
  const auto chat = flags.prompt.raw ? std::nullopt : choose_template(flags.chat, &metadata, ExitCode::model);
  if (!chat) {
    if (flags.prompt.system)
      throw Error(
          ExitCode::usage,
          "--system: this model has no chat template to put a system text in; write it into the prompt, or name "
          "a template by --chat-template");
    // As it is, with the model's own control tokens understood.
    encoded.tokens = tokenizer.encode(prompt, {.add_special = true, .parse_special = true});
    return encoded;
  }
  std::vector<ChatMessage> messages;
  if (flags.prompt.system) messages.push_back({"system", *flags.prompt.system});
  messages.push_back({"user", prompt});
  jinja::Dict variables = conversation_variables(flags.chat, messages);
  add_token_variables(variables, tokenizer);
  encoded.tokens = encode_conversation(tokenizer, chat->render(variables, jinja::local_time()));
  if (const auto end = find_answer_end(*chat, tokenizer).token; end && !tokenizer.ends_generation(*end)) {
    encoded.end_tokens.push_back(*end);
    std::ranges::sort(encoded.end_tokens);
  }
  return encoded;
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

void check_vocabulary(const Gguf& gguf, const ModelSpec& spec, const Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() != static_cast<std::size_t>(spec.vocab_size))
    gguf.metadata().fail("tokenizer.ggml.tokens",
                         fmt::format("found {} tokens, expected {}, the rows of token_embd.weight; the file is damaged",
                                     tokenizer.vocab_size(), spec.vocab_size));
}

SamplerOptions sampler_options(const GenerationFlags& flags, int vocab_size) {
  SamplerOptions options = flags.sampler;
  options.seed = flags.seed ? *flags.seed : std::random_device{}();
  for (const std::string& text : flags.logit_bias) {
    options.logit_bias.push_back(parse_logit_bias(text));
    if (options.logit_bias.back().first >= vocab_size)
      throw Error(ExitCode::usage, fmt::format("--logit-bias {}: the vocabulary has ids 0..{}", text, vocab_size - 1));
  }
  return options;
}

/// Everything that has to live as long as the answer.
struct Loaded {
  Gguf gguf;
  std::unique_ptr<Tokenizer> tokenizer;
  ModelSpec spec;
  std::unique_ptr<CpuBackend> backend;
};

Loaded load_headers(const ModelFlags& flags) {
  Loaded loaded{open_model(flags), nullptr, {}, nullptr};
  loaded.spec = read_spec(loaded.gguf);
  loaded.tokenizer = Tokenizer::create(loaded.gguf.metadata(), flags.pretokenizer);
  check_vocabulary(loaded.gguf, loaded.spec, *loaded.tokenizer);
  loaded.backend = make_backend(flags);
  return loaded;
}

/// Streams the answer, or collects it for the JSON report.
class AnswerStream {
public:
  AnswerStream(const Tokenizer& tokenizer, bool collect, bool at_start)
      : detokenizer_(tokenizer, false, at_start), collect_(collect), escape_(!collect && stdout_is_terminal()) {}

  std::string push(Token token) { return detokenizer_.push(token); }
  std::string finish() { return detokenizer_.finish(); }

  bool emit(std::string_view text) {
    if (text.empty()) return true;
    ends_line_ = text.back() == '\n';
    if (collect_) text_ += text;
    else if (escape_) write_output(escape_controls(text));
    else write_output(text);
    return true;
  }
  /// The last line is a whole line, as in any text file.
  void end_line() const {
    if (!ends_line_) write_output("\n");
  }
  const std::string& text() const { return text_; }

private:
  Detokenizer detokenizer_;
  bool collect_;
  bool escape_;
  bool ends_line_ = true;
  std::string text_;
};

GenerateResult stream_answer(const RunFlags& flags, Session& session, Sampler& sampler, const Prompt& prompt,
                             AnswerStream& answer) {
  GenerateOptions options;
  options.max_tokens = flags.generation.max_tokens;
  options.stops = flags.generation.stops;
  options.end_tokens = prompt.end_tokens;
  if (flags.generation.max_time)
    options.max_time = std::chrono::milliseconds(static_cast<std::int64_t>(*flags.generation.max_time * 1e3));
  ProgressBar bar("prompt", "tokens", !flags.model.quiet);
  GenerateCallbacks callbacks;
  callbacks.to_text = [&](Token token) { return answer.push(token); };
  callbacks.finish_text = [&] { return answer.finish(); };
  callbacks.emit = [&](std::string_view text) { return answer.emit(text); };
  callbacks.interrupted = interrupted;
  callbacks.progress = [&](std::size_t done, std::size_t total) {
    bar.update(done, total);
    return true;
  };
  GenerateResult result = generate(session, sampler, prompt.tokens, options, callbacks);
  if (!flags.generation.json) answer.end_line();
  return result;
}

int run_model(const RunFlags& flags, Clock::time_point begin, const std::string& prompt) {
  Loaded loaded = load_headers(flags.model);
  const Prompt encoded = encode_prompt(flags, loaded.gguf.metadata(), *loaded.tokenizer, prompt);
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
  AnswerStream answer(*loaded.tokenizer, flags.generation.json, at_start);
  report.result = stream_answer(flags, session, sampler, encoded, answer);

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
  return static_cast<int>(exit_code(report.result.reason));
}

} // namespace

int run_command(std::vector<std::string> arguments) {
  RunFlags flags;
  CLI::App app("Answers one prompt and streams the answer to standard output.", "kern run");
  add_prompt_flags(app, flags.prompt);
  add_template_flags(app, flags.chat);
  add_model_flags(app, flags.model);
  add_context_flags(app, flags.context);
  add_generation_flags(app, flags.generation);
  if (!parse_flags(app, std::move(arguments))) return 0;
  const std::string prompt = read_prompt(flags.prompt, flags.model.quiet);
  return run_model(flags, Clock::now(), prompt);
}

} // namespace kern
