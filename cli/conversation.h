// A conversation as the ids a model reads.
#pragma once

#include <vector>

#include "cli/options.h"
#include "cli/thinking.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace kern {

/// A chat template at work on one vocabulary.
class ConversationEncoder {
public:
  /// The tokenizer must outlive it. Throws Error(usage) for variables of the flags that make no sense.
  ConversationEncoder(ChatTemplate chat, const TemplateFlags& flags, const Tokenizer& tokenizer);

  /// What the template makes of the messages, with the beginning of an answer behind them. Throws Error(usage) where
  /// the template doesn't take them. With --think off the thinking is closed where the template itself can't be told.
  jinja::Text render(const std::vector<ChatMessage>& messages) const;
  /// The ids of that.
  std::vector<Token> encode(const std::vector<ChatMessage>& messages) const;
  /// How the thinking of an answer to a rendered conversation is treated.
  ThinkPlan plan_thinking(const jinja::Text& rendered) const;
  /// Ids that end an answer, ascending: the vocabulary's, and what the template writes behind one.
  const std::vector<Token>& end_tokens() const { return end_tokens_; }

private:
  jinja::Text render(const std::vector<ChatMessage>& messages, ThinkMode mode) const;

  ChatTemplate chat_;
  TemplateFlags flags_;
  const Tokenizer& tokenizer_;
  jinja::DateTime begin_; // one time for all turns, so that what was read stays valid
  std::vector<Token> end_tokens_;
  ThinkFormat think_format_;
};

} // namespace kern
