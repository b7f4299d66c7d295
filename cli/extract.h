// The part of an answer that a script wants.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kern {

/// What stands in the first fenced code block (CommonMark's ``` or ~~~), less the fence's own indentation. A block that
/// isn't closed is none: the answer was cut within it.
std::optional<std::string> extract_code(std::string_view text);

/// The first JSON object or array, exactly as it is written; else the whole answer where it is one JSON value.
std::optional<std::string> extract_json(std::string_view text);

} // namespace kern
