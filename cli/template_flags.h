// Which chat template a command uses, and what it is given.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "tokenizer/chat_template.h"

namespace kern {

/// The template of --chat-template, else the model's; nothing where there is none. Throws Error(usage) for a name or
/// file that isn't there or makes no sense, Error with `code` for a model's template that makes none.
std::optional<ChatTemplate> choose_template(const TemplateFlags& flags, const Metadata* metadata, ExitCode code);

/// Sets the variables of --chat-template-kwargs. Throws Error(usage).
void add_template_kwargs(const TemplateFlags& flags, jinja::Dict& variables);

/// Sets what transformers' apply_chat_template gives beside the messages of a conversation that waits for its answer:
/// add_generation_prompt, true; `tools` and `documents`, none.
void add_default_variables(jinja::Dict& variables);

/// Sets `messages`, the defaults and the variables of the flags.
void add_conversation_variables(const TemplateFlags& flags, const std::vector<ChatMessage>& messages,
                                jinja::Dict& variables);

} // namespace kern
