#include "tokenizer/chat_template.h"

#include "tokenizer/template_renderer.h"

namespace kern {

namespace {

constexpr std::string_view key = "tokenizer.chat_template";
constexpr std::string_view system_head = "<|im_start|>system\n";
constexpr std::string_view user_head = "<|im_start|>user\n";
constexpr std::string_view turn_end = "<|im_end|>\n";
constexpr std::string_view answer_head = "<|im_start|>assistant\n";

// Stand-ins for what the conversation brings. The odd white space shows whether a template trims its messages.
constexpr std::string_view bos_mark = "\x01"
                                      "bos"
                                      "\x01";
constexpr std::string_view system_mark = " \x01"
                                         "system"
                                         "\x01\n";
constexpr std::string_view user_mark = " \x01"
                                       "user"
                                       "\x01\n";

std::string turn(std::string_view head, std::string_view content) {
  return std::string(head).append(content).append(turn_end);
}

} // namespace

ChatTemplate read_chat_template(const Metadata& metadata) {
  ChatTemplate chat;
  if (!metadata.has(key)) return chat;
  const std::string_view source = metadata.get_string(key);
  chat.kind = TemplateKind::other;
  if (source.find('\x01') != std::string_view::npos) return chat;
  const TemplateMessage system{"system", std::string(system_mark)};
  const TemplateMessage user{"user", std::string(user_mark)};
  const auto with_system = render_template(source, {system, user}, std::string(bos_mark));
  const auto without = render_template(source, {user}, std::string(bos_mark));
  if (!with_system || !without) return chat;

  const std::string tail = turn(user_head, user_mark).append(answer_head);
  std::string_view full = *with_system;
  std::string_view bare = *without;
  const bool writes_bos = full.starts_with(bos_mark);
  if (writes_bos != bare.starts_with(bos_mark)) return chat;
  if (writes_bos) {
    full.remove_prefix(bos_mark.size());
    bare.remove_prefix(bos_mark.size());
  }
  if (full != turn(system_head, system_mark) + tail || !bare.ends_with(tail)) return chat;
  bare.remove_suffix(tail.size());
  if (!bare.empty()) {
    if (!bare.starts_with(system_head) || !bare.ends_with(turn_end) ||
        bare.size() < system_head.size() + turn_end.size())
      return chat;
    bare = bare.substr(system_head.size(), bare.size() - system_head.size() - turn_end.size());
    if (bare.find("<|") != std::string_view::npos || bare.find('\x01') != std::string_view::npos) return chat;
    chat.default_system = std::string(bare);
  }
  chat.writes_bos = writes_bos;
  chat.kind = TemplateKind::chatml;
  return chat;
}

TemplateKind template_kind(const Metadata& metadata) { return read_chat_template(metadata).kind; }

std::vector<Token> begin_conversation(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                      std::optional<std::string_view> system, std::string_view user) {
  if (!system && chat.default_system) system = *chat.default_system;
  std::vector<TextPart> parts;
  if (system) {
    parts.push_back({system_head, true});
    parts.push_back({*system, false});
    parts.push_back({turn_end, true});
  }
  parts.push_back({user_head, true});
  parts.push_back({user, false});
  parts.push_back({turn_end, true});
  parts.push_back({answer_head, true});
  std::vector<Token> tokens = tokenizer.encode(parts, false);
  const SpecialTokens& special = tokenizer.special();
  if (special.bos && (special.add_bos || chat.writes_bos)) tokens.insert(tokens.begin(), *special.bos);
  return tokens;
}

} // namespace kern
