// A Jinja subset, just large enough to see what a chat template does with a first message.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kern {

struct TemplateMessage {
  std::string role;
  std::string content;
};

/// What Jinja renders from a chat template (with trim_blocks and lstrip_blocks, as Hugging Face's apply_chat_template
/// has it) for these messages, `add_generation_prompt` true, `bos_token` as given and everything else undefined.
/// Nothing where the output depends on anything outside the subset: literals, + and ~, comparisons, and/or/not,
/// if-else, `is` tests, for over the messages, set, namespace. A template is from outside: work, depth and sizes are
/// bounded.
std::optional<std::string> render_template(std::string_view source, const std::vector<TemplateMessage>& messages,
                                           const std::string& bos_token);

} // namespace kern
