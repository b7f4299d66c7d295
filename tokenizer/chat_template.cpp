#include "tokenizer/chat_template.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tokenizer/builtin_templates.h"

namespace kern {

namespace {

constexpr std::string_view key = "tokenizer.chat_template";
constexpr std::string_view mark = "\x01"
                                  "a message"
                                  "\x01";

/// A budget for what kern itself makes: only what a file brings is bounded.
jinja::Budget own_budget() { return jinja::Budget(jinja::Limits{}, 0); }

jinja::Dict probe_variables(const std::vector<ChatMessage>& messages, bool prompts) {
  jinja::Budget budget = own_budget();
  jinja::Dict variables;
  variables.set(jinja::make_text("messages"), message_list(messages), budget);
  variables.set(jinja::make_text("add_generation_prompt"), prompts, budget);
  return variables;
}

} // namespace

ChatTemplate::ChatTemplate(std::string_view source, std::string name, ExitCode code)
    : name_(std::move(name)), source_(source) {
  try {
    template_ = std::make_shared<const jinja::Template>(source);
  } catch (const jinja::TemplateError& error) {
    throw Error(code, fmt::format("{}: {}", name_, error.what()));
  }
}

std::optional<ChatTemplate> ChatTemplate::of_model(const Metadata& metadata, ExitCode code) {
  if (!metadata.has(key)) return std::nullopt;
  return ChatTemplate(metadata.get_string(key), fmt::format("{}: key '{}'", metadata.source(), key), code);
}

std::optional<ChatTemplate> ChatTemplate::builtin(std::string_view name) {
  for (const BuiltinTemplate& known : builtin_templates)
    if (known.name == name) return ChatTemplate(known.source, fmt::format("template {}", name));
  return std::nullopt;
}

jinja::Text ChatTemplate::render(const jinja::Dict& variables, const jinja::DateTime& now) const {
  jinja::RenderOptions options;
  options.now = now;
  try {
    return template_->render(variables, options);
  } catch (const jinja::TemplateError& error) {
    throw Error(ExitCode::usage, fmt::format("{}: {}", name_, error.what()));
  }
}

std::string builtin_template_names() {
  std::string names;
  for (const BuiltinTemplate& known : builtin_templates) names += (names.empty() ? "" : ", ") + std::string(known.name);
  return names;
}

bool is_known_role(std::string_view role) {
  static constexpr std::array<std::string_view, 12> roles = {"assistant", "control", "developer",     "function",
                                                             "human",     "ipython", "model",         "observation",
                                                             "system",    "tool",    "tool_response", "user"};
  return std::ranges::find(roles, role) != roles.end();
}

jinja::Value message_list(const std::vector<ChatMessage>& messages) {
  jinja::Budget budget = own_budget();
  std::vector<jinja::Value> list;
  for (const ChatMessage& message : messages) {
    auto dict = std::make_shared<jinja::Dict>();
    dict->set(jinja::make_text("role"), jinja::Text(message.role, !is_known_role(message.role)), budget);
    dict->set(jinja::make_text("content"), jinja::Text(message.content, true), budget);
    list.emplace_back(jinja::DictPtr(std::move(dict)));
  }
  return jinja::make_sequence(std::move(list), budget);
}

void add_token_variables(jinja::Dict& variables, const Tokenizer& tokenizer) {
  jinja::Budget budget = own_budget();
  const SpecialTokens& special = tokenizer.special();
  const std::pair<std::string_view, std::optional<Token>> tokens[] = {{"bos_token", special.bos},
                                                                      {"eos_token", special.eos},
                                                                      {"pad_token", special.padding},
                                                                      {"unk_token", special.unknown}};
  for (const auto& [name, token] : tokens)
    if (token && !variables.find(name))
      variables.set(jinja::make_text(name), jinja::make_text(tokenizer.piece(*token, true)), budget);
}

std::vector<Token> encode_rendered(const Tokenizer& tokenizer, const jinja::Text& text) {
  std::vector<TextPart> parts;
  const std::string_view view = text.view();
  std::size_t done = 0;
  for (const jinja::ByteRange& range : text.marks()) {
    if (done < range.begin) parts.push_back({view.substr(done, range.begin - done), true});
    parts.push_back({view.substr(range.begin, range.end - range.begin), false});
    done = range.end;
  }
  if (done < view.size()) parts.push_back({view.substr(done), true});
  return tokenizer.encode(parts, false);
}

std::vector<Token> encode_conversation(const Tokenizer& tokenizer, const jinja::Text& text) {
  std::vector<Token> tokens = encode_rendered(tokenizer, text);
  const SpecialTokens& special = tokenizer.special();
  if (special.bos && special.add_bos && (tokens.empty() || tokens.front() != *special.bos))
    tokens.insert(tokens.begin(), *special.bos);
  return tokens;
}

AnswerEnd find_answer_end(const ChatTemplate& chat, const Tokenizer& tokenizer) {
  AnswerEnd end;
  jinja::Dict variables = probe_variables({{"user", "u"}, {"assistant", std::string(mark)}}, false);
  add_token_variables(variables, tokenizer);
  std::string rendered;
  try {
    rendered = chat.render(variables, {}).view();
  } catch (const Error&) {
    return end; // it wants another conversation
  }
  const std::size_t at = rendered.rfind(mark);
  if (at == std::string::npos) return end;
  const jinja::Text rest = jinja::strip(jinja::Text(rendered.substr(at + mark.size())), jinja::Ends::both);
  end.text = rest.view();
  const auto tokens = tokenizer.encode(end.text, {.add_special = false, .parse_special = true});
  if (!tokens.empty() && tokenizer.type(tokens.front()) == TokenType::control) end.token = tokens.front();
  return end;
}

TemplateKind template_kind(const Metadata& metadata) {
  if (!metadata.has(key)) return TemplateKind::none;
  const auto turn = [](std::string_view role) { return fmt::format("<|im_start|>{}\n{}<|im_end|>\n", role, mark); };
  const std::string tail = turn("user") + "<|im_start|>assistant\n";
  const ChatMessage user{"user", std::string(mark)};
  try {
    const ChatTemplate chat = *ChatTemplate::of_model(metadata);
    const auto full = chat.render(probe_variables({{"system", std::string(mark)}, user}, true), {});
    const auto bare = chat.render(probe_variables({user}, true), {});
    // A system text of its own may stand in front.
    const bool is_chatml = full.view() == turn("system") + tail && bare.view().ends_with(tail) &&
                           (bare.size() == tail.size() || bare.view().starts_with("<|im_start|>system\n"));
    return is_chatml ? TemplateKind::chatml : TemplateKind::other;
  } catch (const Error&) {
    return TemplateKind::other;
  }
}

} // namespace kern
