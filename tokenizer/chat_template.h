// How a model wants a conversation written down.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"
#include "model/metadata.h"
#include "tokenizer/jinja/template.h"
#include "tokenizer/tokenizer.h"

namespace kern {

struct ChatMessage {
  std::string role;
  std::string content;
};

/// A Jinja template, with what it is given beside the messages.
class ChatTemplate {
public:
  /// `name`: the file or key it comes from, for messages. Throws Error with `code` for a template that makes no sense.
  ChatTemplate(std::string_view source, std::string name, ExitCode code = ExitCode::usage);

  /// The template of a model; nothing where it has none. Throws Error with `code`, and Error(model) where the key holds
  /// no text.
  static std::optional<ChatTemplate> of_model(const Metadata& metadata, ExitCode code = ExitCode::model);
  /// One of `builtin_template_names()`, or nothing.
  static std::optional<ChatTemplate> builtin(std::string_view name);

  /// What the template makes of its variables. Texts that are marked stay marked: they came from messages. Throws
  /// Error(usage) "NAME: line N: PROBLEM" where the template raises an exception or fails: it doesn't take these.
  jinja::Text render(const jinja::Dict& variables, const jinja::DateTime& now) const;

  const std::string& name() const { return name_; }
  /// As it was given.
  const std::string& source() const { return source_; }

private:
  std::string name_;
  std::string source_;
  std::shared_ptr<const jinja::Template> template_;
};

/// "chatml, gemma, ..."
std::string builtin_template_names();

/// user, assistant, system, tool and the other roles that templates ask for. They count as the template's words: some
/// make control tokens of them.
bool is_known_role(std::string_view role);

/// `messages`, a list of dicts whose contents are marked as a message's text.
jinja::Value message_list(const std::vector<ChatMessage>& messages);

/// Sets bos_token, eos_token, pad_token and unk_token as the vocabulary spells them, where the vocabulary has them and
/// the variables haven't.
void add_token_variables(jinja::Dict& variables, const Tokenizer& tokenizer);

/// Ids of a rendered conversation. Control tokens come from the template only: the same text inside a message stays
/// text. Otherwise the ids are those of the whole text. BOS comes first, once, if the model adds it or the template
/// writes it; EOS isn't added.
std::vector<Token> encode_conversation(const Tokenizer& tokenizer, const jinja::Text& text);

/// Ids of a stretch of a rendered conversation, by the same rules but without BOS.
std::vector<Token> encode_rendered(const Tokenizer& tokenizer, const jinja::Text& text);

/// What the template writes behind the last message of an assistant.
struct AnswerEnd {
  std::string text;           // without white space around it; empty where nothing follows or it can't be told
  std::optional<Token> token; // the control token that it begins with
};
AnswerEnd find_answer_end(const ChatTemplate& chat, const Tokenizer& tokenizer);

enum class TemplateKind {
  none,   // the file has no `tokenizer.chat_template`
  chatml, // <|im_start|>ROLE\nCONTENT<|im_end|>\n for every message, then <|im_start|>assistant\n
  other,  // anything else
};

/// Told by rendering a user's message, and a system's and a user's. Never throws for what the template does.
TemplateKind template_kind(const Metadata& metadata);

} // namespace kern
