// kern template: what a chat template makes of a conversation.
#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/json_values.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/template_flags.h"
#include "cli/terminal.h"
#include "model/error.h"
#include "tokenizer/tokenizer.h"

namespace kern {

namespace {

struct ShowFlags {
  ModelFlags model;
  TemplateFlags chat;
  std::string messages;
  std::string now;
  bool tokens = false;
};

/// Throws Error(usage).
jinja::DateTime read_time(const std::string& text) {
  jinja::DateTime time;
  int end = 0;
  const int fields = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &time.year, &time.month, &time.day,
                                 &time.hour, &time.minute, &time.second, &end);
  const bool fits = fields == 6 && static_cast<std::size_t>(end) == text.size() && time.year >= 1 && time.month >= 1 &&
                    time.month <= 12 && time.day >= 1 && time.day <= 31 && time.hour >= 0 && time.hour <= 23 &&
                    time.minute >= 0 && time.minute <= 59 && time.second >= 0 && time.second <= 60;
  if (!fits)
    throw Error(ExitCode::usage, fmt::format("--now: found '{}', expected a time as in 2026-01-02T03:04:05", text));
  return time;
}

jinja::Dict read_variables(const ShowFlags& flags) {
  const std::string text = read_text_file(flags.messages, flags.model.quiet);
  const std::string name = flags.messages == "-" ? "standard input" : flags.messages;
  const auto fail = [&](std::string_view found) {
    throw Error(ExitCode::usage, fmt::format("{}: found {}, expected a JSON array of messages, or an object with "
                                             "`messages` and other variables",
                                             name, found));
  };
  nlohmann::ordered_json json;
  try {
    json = nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::ordered_json::parse_error& error) {
    fail(fmt::format("what is no JSON at byte {}", error.byte));
  }
  const bool is_list = json.is_array();
  if (is_list) json = nlohmann::ordered_json::object({{"messages", std::move(json)}});
  if (!json.is_object()) fail(json.type_name());
  if (!json.contains("messages") || !json["messages"].is_array()) fail("an object without an array `messages`");
  jinja::Dict variables = to_variables(json);
  if (is_list) add_default_variables(variables);
  add_template_kwargs(flags.chat, variables);
  return variables;
}

void print_tokens(const Tokenizer& tokenizer, const std::vector<Token>& tokens) {
  std::string out;
  const auto add = [&](Token token, std::string_view kind) {
    out += fmt::format("{:>7}  {:<7}  '{}'\n", token, kind, escape_line(tokenizer.piece(token, true)));
  };
  for (const Token token : tokens) {
    const TokenType type = tokenizer.type(token);
    add(token, type == TokenType::control || type == TokenType::user_defined ? "special" : "");
  }
  write_output(out);
}

/// Which tokens end an answer; on standard error what should and doesn't.
void print_stops(const Tokenizer& tokenizer, const AnswerEnd& end) {
  std::vector<Token> stops = tokenizer.special().end_of_generation;
  if (end.token && !tokenizer.ends_generation(*end.token)) stops.push_back(*end.token);
  std::ranges::sort(stops);
  std::string out;
  for (const Token token : stops)
    out += fmt::format("{:>7}  {:<7}  '{}'\n", token, "stop", escape_line(tokenizer.piece(token, true)));
  write_output(out);
  if (!end.text.empty() && !end.token)
    write_notice(fmt::format("kern: the template ends an answer with '{}', which begins with no control token of the "
                             "vocabulary; an answer may not end there\n",
                             escape_line(end.text)));
  if (stops.empty()) write_notice("kern: the vocabulary has no token that ends an answer\n");
}

void declare(CLI::App& app, ShowFlags& flags) {
  add_model_flags(app, flags.model);
  add_template_flags(app, flags.chat);
  // Nothing is answered here.
  for (const char* flag : {"--think", "--think-budget"}) app.remove_option(app.get_option(flag));
  app.add_option("--messages", flags.messages,
                 "JSON file: an array of messages, or an object with messages, tools, add_generation_prompt and other "
                 "variables; - is standard input")
      ->type_name("FILE")
      ->required();
  app.add_option("--now", flags.now, "the time for templates that ask for it, as in 2026-01-02T03:04:05")
      ->type_name("TIME");
  app.add_flag("--tokens", flags.tokens, "print the tokens, one a line, and those that end an answer");
}

int show_template(ShowFlags& flags) {

  const jinja::DateTime now = flags.now.empty() ? jinja::local_time() : read_time(flags.now);
  jinja::Dict variables = read_variables(flags);
  // A template of its own needs no model, unless asked for its tokens.
  std::optional<Gguf> gguf;
  std::unique_ptr<Tokenizer> tokenizer;
  if (!flags.chat.source || flags.tokens || !flags.model.path.empty()) {
    gguf = open_model(flags.model);
    tokenizer = Tokenizer::create(gguf->metadata(), flags.model.pretokenizer);
    add_token_variables(variables, *tokenizer);
  }
  const auto chat = choose_template(flags.chat, gguf ? &gguf->metadata() : nullptr, ExitCode::usage);
  if (!chat)
    throw Error(ExitCode::usage, fmt::format("{} has no chat template; give one by --chat-template", gguf->name()));
  const jinja::Text text = chat->render(variables, now);
  if (flags.tokens) {
    print_tokens(*tokenizer, encode_conversation(*tokenizer, text));
    print_stops(*tokenizer, find_answer_end(*chat, *tokenizer));
  } else {
    write_output(stdout_is_terminal() ? escape_controls(text.view()) + "\n" : std::string(text.view()));
  }
  return 0;
}

} // namespace

Command template_command() {
  return make_command<ShowFlags>(
      "kern template", "Prints what a chat template makes of a conversation, exactly, or how that is tokenized.",
      declare, show_template);
}

} // namespace kern
