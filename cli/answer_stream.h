// An answer on its way from the token loop to standard output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "cli/prompt.h"
#include "cli/thinking.h"
#include "engine/generate.h"
#include "tokenizer/detokenizer.h"

namespace kern {

/// Where the text of an answer goes as it comes.
enum class Shown {
  nowhere, // it is for a report
  aside,   // the thinking to standard error, the answer nowhere
  answer,  // the answer to standard output, no thinking anywhere unless it is asked into the answer
  all,     // the thinking to standard error, too
  events,  // both to standard output, as JSON lines
};

/// Turns an answer's ids into text, tells thinking from answer, keeps both and shows them.
class AnswerStream {
public:
  /// `at_start`: the answer begins a text, see Tokenizer::restarts_text.
  AnswerStream(const Tokenizer& tokenizer, Shown shown, bool at_start, const ThinkPlan& think);

  /// What the id adds to the answer. Throws what write_output() throws.
  std::string push(Token token);
  std::string finish();
  /// Ids that have to come next: thinking is over its budget.
  std::vector<Token> forced();

  /// Shows text of the answer. Throws what write_output() throws.
  void emit(std::string_view text);
  /// The last line is a whole line, as in any text file.
  void end_line() const;
  /// The answer.
  const std::string& text() const { return text_; }
  const std::string& thinking() const { return thinking_; }
  /// Tokens of the thinking, without its marks.
  int thinking_tokens() const { return thinking_tokens_; }

private:
  /// Keeps and shows what is thinking, returns what is answer.
  std::string take(const std::vector<ThinkPiece>& pieces);

  Detokenizer detokenizer_;
  ThinkPlan think_;
  ThinkSplitter splitter_;
  ThinkWriter writer_;
  bool shown_;
  bool events_;
  bool escape_;
  std::string text_;
  std::string thinking_;
  int thinking_tokens_ = 0;
};

/// Prefills the prompt, with a progress bar unless `quiet`, and streams the answer until something ends it.
GenerateResult stream_answer(const GenerationFlags& flags, bool quiet, Session& session, Sampler& sampler,
                             const Prompt& prompt, AnswerStream& answer);

} // namespace kern
