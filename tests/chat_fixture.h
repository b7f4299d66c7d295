// Conversations for chat templates in tests.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/chat_template.h"

namespace kern::test {

/// What a template gets for an answer to `messages`.
inline jinja::Dict conversation(const std::vector<ChatMessage>& messages) {
  jinja::Budget budget(jinja::Limits{}, 0);
  jinja::Dict variables;
  variables.set(jinja::make_text("messages"), message_list(messages), budget);
  variables.set(jinja::make_text("add_generation_prompt"), true, budget);
  return variables;
}

inline void set_text(jinja::Dict& variables, const std::string& name, const std::string& value) {
  jinja::Budget budget(jinja::Limits{}, 0);
  variables.set(jinja::make_text(name), jinja::make_text(value), budget);
}

} // namespace kern::test
