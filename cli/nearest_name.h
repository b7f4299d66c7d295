// What somebody may have meant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kern {

/// The name with the fewest letters to add, drop, change or swap with the next; nothing where all are too far away. Of
/// several the first.
std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> names);

} // namespace kern
