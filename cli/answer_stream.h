// An answer on its way from the token loop to standard output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "engine/generate.h"
#include "tokenizer/detokenizer.h"

namespace kern {

/// What an answer follows: ids to prefill, and ids that end it.
struct Prompt {
  std::vector<Token> tokens;
  std::vector<Token> end_tokens; // ascending
  std::uint32_t draw = 0;        // see GenerateOptions
};

/// Turns an answer's ids into text, keeps the text and, unless it is for a report, writes it to standard output.
class AnswerStream {
public:
  /// `at_start`: the answer begins a text, see Tokenizer::restarts_text.
  AnswerStream(const Tokenizer& tokenizer, bool shown, bool at_start);

  std::string push(Token token) { return detokenizer_.push(token); }
  std::string finish() { return detokenizer_.finish(); }

  /// Throws what write_output() throws.
  void emit(std::string_view text);
  /// The last line is a whole line, as in any text file.
  void end_line() const;
  const std::string& text() const { return text_; }

private:
  Detokenizer detokenizer_;
  bool shown_;
  bool escape_;
  std::string text_;
};

/// The steps of the flags, with a random seed where they have none. Throws Error(usage) for a --logit-bias outside the
/// vocabulary.
SamplerOptions sampler_options(const GenerationFlags& flags, int vocab_size);

/// Prefills the prompt, with a progress bar unless `quiet`, and streams the answer until something ends it.
GenerateResult stream_answer(const GenerationFlags& flags, bool quiet, Session& session, Sampler& sampler,
                             const Prompt& prompt, AnswerStream& answer);

} // namespace kern
