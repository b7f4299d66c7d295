#include "cli/answer_stream.h"

#include <chrono>

#include "cli/output.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/terminal.h"

namespace kern {

namespace {

ThinkWriter::Target think_target(Shown shown, ThinkMode mode) {
  const bool streams = shown == Shown::answer || shown == Shown::all;
  if (mode == ThinkMode::show && streams) return ThinkWriter::Target::standard_output;
  const bool aside = mode != ThinkMode::hide && (shown == Shown::all || shown == Shown::aside);
  return aside ? ThinkWriter::Target::standard_error : ThinkWriter::Target::nowhere;
}

void write_event(const char* kind, std::string_view text) {
  write_output(dump_json_line({{"event", kind}, {"text", text}}));
}

} // namespace

AnswerStream::AnswerStream(const Tokenizer& tokenizer, Shown shown, bool at_start, const ThinkPlan& think)
    : detokenizer_(tokenizer, false, at_start), think_(think), splitter_(think.format, think.begins),
      writer_(think_target(shown, think.mode)), shown_(shown == Shown::answer || shown == Shown::all),
      events_(shown == Shown::events), escape_(shown_ && stdout_is_terminal()) {}

std::string AnswerStream::push(Token token) {
  if (!splitter_.is_mark(token)) {
    if (splitter_.thinking()) ++thinking_tokens_;
    return take(splitter_.push(detokenizer_.push(token)));
  }
  std::string answer = take(splitter_.push(detokenizer_.finish()));
  splitter_.mark(token);
  static_cast<void>(detokenizer_.push(token)); // a mark's own text, but what follows depends on it
  return answer;
}

std::string AnswerStream::finish() {
  std::string answer = take(splitter_.push(detokenizer_.finish()));
  answer += take(splitter_.finish());
  writer_.end();
  return answer;
}

std::vector<Token> AnswerStream::forced() {
  if (!think_.budget || !splitter_.thinking() || thinking_tokens_ < *think_.budget) return {};
  return think_.closing;
}

std::string AnswerStream::take(const std::vector<ThinkPiece>& pieces) {
  std::string answer;
  for (const ThinkPiece& piece : pieces) {
    if (piece.thinking) {
      if (think_.mode == ThinkMode::hide) continue;
      thinking_ += piece.text;
      if (events_) write_event("thinking", piece.text);
      writer_.write(piece.text);
    } else {
      writer_.end();
      answer += piece.text;
    }
  }
  return answer;
}

void AnswerStream::emit(std::string_view text) {
  if (text.empty()) return;
  text_ += text;
  if (events_) write_event("text", text);
  if (!shown_) return;
  if (escape_) write_output(escape_controls(text));
  else write_output(text);
}

void AnswerStream::end_line() const {
  if (shown_ && !text_.empty() && text_.back() != '\n') write_output("\n");
}

GenerateResult stream_answer(const GenerationFlags& flags, bool quiet, Session& session, Sampler& sampler,
                             const Prompt& prompt, AnswerStream& answer) {
  GenerateOptions options;
  options.max_tokens = flags.max_tokens;
  options.stops = flags.stops;
  options.end_tokens = prompt.end_tokens;
  options.top_logprobs = flags.top_logprobs;
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
  callbacks.forced = [&] { return answer.forced(); };
  callbacks.progress = [&](std::size_t done, std::size_t total) {
    bar.update(done, total);
    return true;
  };
  GenerateResult result = generate(session, sampler, prompt.tokens, options, callbacks);
  answer.end_line();
  return result;
}

} // namespace kern
