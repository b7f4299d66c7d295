// Models that think before they answer: how they mark it, how it is switched off, ended and shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "engine/think.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace kern {

/// How an answer's thinking is told from the answer, and what becomes of it.
struct ThinkPlan {
  ThinkFormat format;
  bool begins = false;        // the prompt opened the thinking
  std::vector<Token> closing; // ids that end it
  ThinkMode mode = ThinkMode::aside;
  std::optional<int> budget; // tokens
};

/// By the tokens of the vocabulary and the text of the template.
ThinkFormat find_think_format(const Tokenizer& tokenizer, const ChatTemplate& chat);

/// Sets the variables by which templates are told to think (--think show) or not to (off); nothing for other modes.
void add_think_variables(ThinkMode mode, jinja::Dict& variables);

/// Whether a rendered conversation ends within thinking that its last lines, the template's own, opened.
bool ends_in_thinking(const ThinkFormat& format, const jinja::Text& rendered);

/// Whether these lines end thinking, so that the answer follows.
bool ends_thinking(const ThinkFormat& format, const jinja::Text& rendered);

/// Ends the thinking of a rendered conversation where it is open; where it isn't, opens and ends it, or names the
/// channel of the answer.
void close_thinking(const ThinkFormat& format, jinja::Text& rendered);

/// For an answer to a rendered conversation.
ThinkPlan plan_thinking(const ThinkFormat& format, const TemplateFlags& flags, const jinja::Text& rendered,
                        const Tokenizer& tokenizer);

/// Writes thinking to standard error, dimmed on a terminal, or between <think> and </think> to standard output.
class ThinkWriter {
public:
  enum class Target { nowhere, standard_error, standard_output };
  explicit ThinkWriter(Target target);

  void write(std::string_view text);
  /// The thinking is over: what follows begins a line of its own.
  void end();

private:
  Target target_;
  bool open_ = false;
  bool escape_;
  bool dim_;
};

} // namespace kern
