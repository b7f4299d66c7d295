#include "cli/conversation.h"

#include <algorithm>

#include "cli/template_flags.h"

namespace kern {

namespace {

std::vector<Token> find_end_tokens(const ChatTemplate& chat, const Tokenizer& tokenizer) {
  std::vector<Token> tokens = tokenizer.special().end_of_generation;
  if (const auto end = find_answer_end(chat, tokenizer).token; end && !tokenizer.ends_generation(*end)) {
    tokens.push_back(*end);
    std::ranges::sort(tokens);
  }
  return tokens;
}

} // namespace

ConversationEncoder::ConversationEncoder(ChatTemplate chat, const TemplateFlags& flags, const Tokenizer& tokenizer)
    : chat_(std::move(chat)), flags_(flags), tokenizer_(tokenizer), begin_(jinja::local_time()),
      end_tokens_(find_end_tokens(chat_, tokenizer)), think_format_(find_think_format(tokenizer, chat_)) {
  jinja::Dict variables;
  add_template_kwargs(flags_, variables);
}

jinja::Text ConversationEncoder::render(const std::vector<ChatMessage>& messages, ThinkMode mode) const {
  jinja::Dict variables;
  add_think_variables(mode, variables);
  add_conversation_variables(flags_, messages, variables);
  add_token_variables(variables, tokenizer_);
  return chat_.render(variables, begin_);
}

jinja::Text ConversationEncoder::render(const std::vector<ChatMessage>& messages) const {
  jinja::Text rendered = render(messages, flags_.think);
  if (flags_.think != ThinkMode::off || !think_format_.in_template) return rendered;
  // A template that was told to is taken at its word, unless it opened the thinking all the same.
  const bool was_told = render(messages, ThinkMode::hide).view() != rendered.view();
  if (ends_in_thinking(think_format_, rendered) || (!was_told && !ends_thinking(think_format_, rendered)))
    close_thinking(think_format_, rendered);
  return rendered;
}

ThinkPlan ConversationEncoder::plan_thinking(const jinja::Text& rendered) const {
  return kern::plan_thinking(think_format_, flags_, rendered, tokenizer_);
}

std::vector<Token> ConversationEncoder::encode(const std::vector<ChatMessage>& messages) const {
  return encode_conversation(tokenizer_, render(messages));
}

} // namespace kern
