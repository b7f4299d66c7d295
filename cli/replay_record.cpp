#include "cli/replay_record.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

namespace {

using Json = nlohmann::ordered_json;

void set_token(Json& json, const char* name, const std::optional<Token>& token) {
  if (token) json[name] = *token;
}

std::optional<Token> token_at(const Json& json, const char* name) {
  return json.contains(name) ? std::optional(json.at(name).get<Token>()) : std::nullopt;
}

ThinkPlan read_think(const Json& json) {
  ThinkPlan plan;
  ThinkFormat& format = plan.format;
  format.kind = json.at("kind") == "channels" ? ThinkFormat::Kind::channels : ThinkFormat::Kind::marks;
  json.at("open").get_to(format.open);
  json.at("close").get_to(format.close);
  json.at("label").get_to(format.label);
  format.open_token = token_at(json, "open_id");
  format.close_token = token_at(json, "close_id");
  format.channel = token_at(json, "channel_id");
  format.message = token_at(json, "message_id");
  format.start = token_at(json, "start_id");
  format.end = token_at(json, "end_id");
  const bool is_whole = format.kind == ThinkFormat::Kind::channels
                            ? format.channel && format.message && format.start && format.end
                            : !format.open.empty() && !format.close.empty();
  if (!is_whole) throw Json::other_error::create(501, "its marks are incomplete", &json);
  json.at("begins").get_to(plan.begins);
  json.at("closing_ids").get_to(plan.closing);
  if (json.contains("budget")) plan.budget = json.at("budget").get<int>();
  if (json.contains("hidden")) plan.mode = ThinkMode::hide;
  return plan;
}

ReplayRecord read(const Json& json) {
  ReplayRecord record;
  const Json& model = json.at("model");
  model.at("path").get_to(record.model_path);
  model.at("fingerprint").get_to(record.fingerprint);
  json.at("prompt_ids").get_to(record.prompt.tokens);
  json.at("end_ids").get_to(record.prompt.end_tokens);
  std::ranges::sort(record.prompt.end_tokens);
  if (json.contains("think")) record.prompt.think = read_think(json.at("think"));
  json.at("flags").get_to(record.flags);
  json.at("seed").get_to(record.seed);
  json.at("context").get_to(record.context);
  json.at("cache").at("key_type").get_to(record.key_type);
  json.at("cache").at("value_type").get_to(record.value_type);
  json.at("tokens").get_to(record.tokens);
  json.at("text").get_to(record.text);
  if (json.contains("thinking")) json.at("thinking").get_to(record.thinking);
  const auto reason = json.at("reason").get<std::string>();
  record.cut_from_outside = reason == "time" || reason == "interrupted" || reason == "closed";
  return record;
}

} // namespace

Json think_json(const ThinkPlan& plan) {
  const ThinkFormat& format = plan.format;
  Json json = {{"kind", format.kind == ThinkFormat::Kind::channels ? "channels" : "marks"},
               {"open", format.open},
               {"close", format.close},
               {"label", format.label}};
  set_token(json, "open_id", format.open_token);
  set_token(json, "close_id", format.close_token);
  set_token(json, "channel_id", format.channel);
  set_token(json, "message_id", format.message);
  set_token(json, "start_id", format.start);
  set_token(json, "end_id", format.end);
  json["begins"] = plan.begins;
  json["closing_ids"] = plan.closing;
  if (plan.budget) json["budget"] = *plan.budget;
  if (plan.mode == ThinkMode::hide) json["hidden"] = true;
  return json;
}

ReplayRecord read_record(std::string_view text, const std::string& name) {
  try {
    return read(Json::parse(text));
  } catch (const Json::exception& error) {
    throw Error(ExitCode::usage, fmt::format("{}: found no report of `kern run --json` ({}), expected one of this kern",
                                             name, escape_line(error.what()).substr(0, 120)));
  }
}

} // namespace kern
