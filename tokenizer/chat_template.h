// How a model wants a conversation written down.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/metadata.h"
#include "tokenizer/tokenizer.h"

namespace kern {

enum class TemplateKind {
  none,   // the file has no `tokenizer.chat_template`
  chatml, // <|im_start|>ROLE\nCONTENT<|im_end|>\n for every message, then <|im_start|>assistant\n
  other,  // anything else, and whatever can't be told
};

/// What `tokenizer.chat_template` does with the first message of a conversation.
struct ChatTemplate {
  TemplateKind kind = TemplateKind::none;
  std::optional<std::string> default_system; // what it says as the system where the conversation has no system message
  bool writes_bos = false;                   // it begins with the BOS token
};

/// A template counts as ChatML if, for a user's message and for a system's and a user's, it writes exactly the turns
/// above, apart from BOS at the start and a system turn of its own where there is none. Tool calls, thinking and later
/// turns of the assistant may be anything. Tested by rendering it with a small subset of Jinja; a template that the
/// subset can't follow is `other`, never guessed at. Throws Error(model) where the key is no string.
ChatTemplate read_chat_template(const Metadata& metadata);

/// read_chat_template(metadata).kind
TemplateKind template_kind(const Metadata& metadata);

/// The tokens up to where the model begins its answer to `user`, for a template of kind chatml. Without `system`, the
/// template's own, if it has one; an empty text is a system turn without content. BOS comes first, once, if the model
/// adds it or the template writes it. Control tokens come from the template only: the same text inside a message stays
/// text.
std::vector<Token> begin_conversation(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                      std::optional<std::string_view> system, std::string_view user);

} // namespace kern
