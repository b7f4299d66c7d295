#include "cli/answer_stream.h"

#include <chrono>
#include <random>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

AnswerStream::AnswerStream(const Tokenizer& tokenizer, bool shown, bool at_start)
    : detokenizer_(tokenizer, false, at_start), shown_(shown), escape_(shown && stdout_is_terminal()) {}

void AnswerStream::emit(std::string_view text) {
  if (text.empty()) return;
  text_ += text;
  if (!shown_) return;
  if (escape_) write_output(escape_controls(text));
  else write_output(text);
}

void AnswerStream::end_line() const {
  if (shown_ && !text_.empty() && text_.back() != '\n') write_output("\n");
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

GenerateResult stream_answer(const GenerationFlags& flags, bool quiet, Session& session, Sampler& sampler,
                             const Prompt& prompt, AnswerStream& answer) {
  GenerateOptions options;
  options.max_tokens = flags.max_tokens;
  options.stops = flags.stops;
  options.end_tokens = prompt.end_tokens;
  options.draw = prompt.draw;
  if (flags.max_time) options.max_time = std::chrono::milliseconds(static_cast<std::int64_t>(*flags.max_time * 1e3));
  ProgressBar bar("prompt", "tokens", !quiet);
  GenerateCallbacks callbacks;
  callbacks.to_text = [&](Token token) { return answer.push(token); };
  callbacks.finish_text = [&] { return answer.finish(); };
  callbacks.emit = [&](std::string_view text) {
    answer.emit(text);
    return true;
  };
  callbacks.interrupted = interrupted;
  callbacks.progress = [&](std::size_t done, std::size_t total) {
    bar.update(done, total);
    return true;
  };
  GenerateResult result = generate(session, sampler, prompt.tokens, options, callbacks);
  answer.end_line();
  return result;
}

} // namespace kern
