#include "cli/template_flags.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/input.h"
#include "cli/json_values.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

void set(jinja::Dict& variables, std::string_view name, jinja::Value value) {
  jinja::Budget budget(jinja::Limits{}, 0);
  variables.set(jinja::make_text(name), std::move(value), budget);
}

} // namespace

std::optional<ChatTemplate> choose_template(const TemplateFlags& flags, const Metadata* metadata, ExitCode code) {
  if (!flags.source) return metadata ? ChatTemplate::of_model(*metadata, code) : std::nullopt;
  if (auto known = ChatTemplate::builtin(*flags.source)) return known;
  try {
    return ChatTemplate(read_text_file(*flags.source, true), *flags.source);
  } catch (const Error& error) {
    // A word alone may have been meant as a name.
    const bool may_be_name = std::ranges::none_of(*flags.source, [](char c) { return c == '/' || c == '.'; });
    if (!may_be_name || !std::string_view(error.what()).ends_with("No such file or directory")) throw;
    throw Error(ExitCode::usage, fmt::format("--chat-template: found '{}', which is neither a file nor one of {}",
                                             *flags.source, builtin_template_names()));
  }
}

void add_template_kwargs(const TemplateFlags& flags, jinja::Dict& variables) {
  if (!flags.kwargs) return;
  const auto json = nlohmann::ordered_json::parse(*flags.kwargs, nullptr, false);
  if (!json.is_object())
    throw Error(ExitCode::usage, fmt::format("--chat-template-kwargs: found '{}', expected a JSON object as in "
                                             "'{{\"enable_thinking\": false}}'",
                                             escape_line(*flags.kwargs).substr(0, 60)));
  const jinja::Dict given = to_variables(json);
  for (const auto& [key, value] : given.entries()) set(variables, key.text().view(), value);
}

void add_default_variables(jinja::Dict& variables) {
  set(variables, "add_generation_prompt", true);
  for (const std::string_view name : {"tools", "documents"}) set(variables, name, jinja::None{});
}

void add_conversation_variables(const TemplateFlags& flags, const std::vector<ChatMessage>& messages,
                                jinja::Dict& variables) {
  set(variables, "messages", message_list(messages));
  add_default_variables(variables);
  add_template_kwargs(flags, variables);
}

} // namespace kern
