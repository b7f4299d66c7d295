#include "cli/json_values.h"

#include <limits>

#include "tokenizer/chat_template.h"

namespace kern {

namespace {

using Json = nlohmann::ordered_json;

jinja::Value convert(const Json& json, bool marked, jinja::Budget& budget) {
  switch (json.type()) {
  case Json::value_t::null: return jinja::None{};
  case Json::value_t::boolean: return json.get<bool>();
  case Json::value_t::number_integer: return json.get<std::int64_t>();
  case Json::value_t::number_unsigned:
    if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return json.get<double>();
    return json.get<std::int64_t>();
  case Json::value_t::number_float: return json.get<double>();
  case Json::value_t::string: return jinja::Text(json.get<std::string>(), marked);
  case Json::value_t::array: {
    std::vector<jinja::Value> elements;
    for (const Json& element : json) elements.push_back(convert(element, marked, budget));
    return jinja::make_sequence(std::move(elements), budget);
  }
  default: break;
  }
  auto dict = std::make_shared<jinja::Dict>();
  for (const auto& [key, element] : json.items()) {
    const bool trusted = key == "role" && element.is_string() && is_known_role(element.get<std::string>());
    dict->set(jinja::Text(key, marked), convert(element, marked && !trusted, budget), budget);
  }
  return jinja::DictPtr(std::move(dict));
}

jinja::Budget unlimited() {
  jinja::Limits limits;
  limits.steps = limits.bytes = std::numeric_limits<std::uint64_t>::max() / 2;
  return jinja::Budget(limits, 0);
}

} // namespace

jinja::Value to_value(const Json& json, bool marked) {
  jinja::Budget budget = unlimited();
  return convert(json, marked, budget);
}

jinja::Dict to_variables(const Json& object) {
  jinja::Budget budget = unlimited();
  jinja::Dict variables;
  for (const auto& [key, value] : object.items())
    variables.set(jinja::make_text(key), convert(value, !key.ends_with("_token"), budget), budget);
  return variables;
}

} // namespace kern
