// A conversation as the ids a model reads.
#pragma once

#include <cstddef>
#include <string_view>
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

/// The ids of a conversation that grows. An answer keeps the ids the model gave it, as long as the template renders it
/// as it was: so all that was read stays valid.
class ConversationIds {
public:
  /// The tokenizer must outlive it.
  explicit ConversationIds(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  /// The ids of a rendered conversation.
  std::vector<Token> encode(const jinja::Text& rendered) const;
  /// `prompt`, the ids of `rendered`, was answered by `generated`, whose text is `answer`.
  void remember(const jinja::Text& rendered, std::vector<Token> prompt, std::string_view answer,
                const std::vector<Token>& generated);

private:
  /// The end of an answer.
  struct Checkpoint {
    std::size_t bytes; // of text_
    std::size_t tokens;
  };

  /// The last checkpoint up to which the conversation is the remembered one; nullptr where there is none.
  const Checkpoint* shared_with(const jinja::Text& rendered) const;

  const Tokenizer& tokenizer_;
  jinja::Text text_;
  std::vector<Token> tokens_; // of text_
  std::vector<Checkpoint> checkpoints_;
};

} // namespace kern
