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

const ConversationIds::Checkpoint* ConversationIds::shared_with(const jinja::Text& rendered) const {
  const std::string_view mine = text_.view(), other = rendered.view();
  const auto same = static_cast<std::size_t>(std::ranges::mismatch(mine, other).in1 - mine.begin());
  for (std::size_t i = checkpoints_.size(); i-- > 0;) {
    const Checkpoint& point = checkpoints_[i];
    // The same bytes may be a message's text in one and the template's in the other.
    if (point.bytes <= same && text_.slice(0, point.bytes).marks() == rendered.slice(0, point.bytes).marks())
      return &point;
  }
  return nullptr;
}

std::vector<Token> ConversationIds::encode(const jinja::Text& rendered) const {
  if (const Checkpoint* point = shared_with(rendered)) {
    const jinja::Text rest = rendered.slice(point->bytes, rendered.size());
    std::vector<Token> tokens(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(point->tokens));
    const std::vector<Token> behind = encode_rendered(tokenizer_, rest);
    // A tokenizer that puts a space before every text would put one in the middle of this one.
    if (tokenizer_.decode(behind, true, tokenizer_.restarts_text(tokens.back())) == rest.view()) {
      tokens.insert(tokens.end(), behind.begin(), behind.end());
      return tokens;
    }
  }
  return encode_conversation(tokenizer_, rendered);
}

void ConversationIds::remember(const jinja::Text& rendered, std::vector<Token> prompt, std::string_view answer,
                               const std::vector<Token>& generated) {
  // Where a stop text was cut off, say, the ids spell another text than the conversation will have.
  if (prompt.empty() || generated.empty()) return;
  if (tokenizer_.decode(generated, false, tokenizer_.restarts_text(prompt.back())) != answer) return;
  const Checkpoint* shared = shared_with(rendered);
  checkpoints_.resize(shared ? static_cast<std::size_t>(shared - checkpoints_.data()) + 1 : 0);
  text_ = rendered;
  text_.append(answer, true);
  tokens_ = std::move(prompt);
  tokens_.insert(tokens_.end(), generated.begin(), generated.end());
  checkpoints_.push_back({text_.size(), tokens_.size()});
}

} // namespace kern
