// JSON -> values of templates.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "tokenizer/jinja/value.h"

namespace kern {

/// Keys keep their order. `marked`: its texts count as a message's, not as the template's. Throws jinja::Problem where
/// it is nested too deeply.
jinja::Value to_value(const nlohmann::ordered_json& json, bool marked);

/// What a template gets as its variables, from an object: `messages`, `tools` and all else is a message's text, apart
/// from tokens (`bos_token` and the like) and roles that everyone knows.
jinja::Dict to_variables(const nlohmann::ordered_json& object);

} // namespace kern
