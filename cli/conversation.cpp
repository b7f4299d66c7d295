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
      end_tokens_(find_end_tokens(chat_, tokenizer)) {
  jinja::Dict variables;
  add_template_kwargs(flags_, variables);
}

jinja::Text ConversationEncoder::render(const std::vector<ChatMessage>& messages) const {
  jinja::Dict variables = conversation_variables(flags_, messages);
  add_token_variables(variables, tokenizer_);
  return chat_.render(variables, begin_);
}

std::vector<Token> ConversationEncoder::encode(const std::vector<ChatMessage>& messages) const {
  return encode_conversation(tokenizer_, render(messages));
}

} // namespace kern
