// Conversations as text: one JSON object a line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace kern {

inline constexpr std::size_t max_session_bytes = std::size_t{64} << 20;
inline constexpr std::size_t max_session_line_bytes = std::size_t{16} << 20;

/// A line of a session.
struct SessionMessage {
  std::string role;
  std::string content;
  std::string end;               // of an answer: why it ended, as reports say it; empty where that isn't known
  nlohmann::ordered_json fields; // the line's object as it was read, with keys that kern doesn't know; else null
};

struct SessionText {
  std::vector<SessionMessage> messages;
  std::size_t whole_bytes = 0; // the rest is a last line that was never written to its end
};

/// Reads a session. Blank lines are skipped; keys that aren't known are kept. A last line without its newline that
/// makes no sense is torn: left out and told by `whole_bytes`. Throws Error(usage) "NAME: line N: found, expected,
/// remedy".
SessionText parse_session(std::string_view text, const std::string& name);

/// The line of a message, with its newline. Bytes that are no UTF-8 become U+FFFD.
std::string session_line(const SessionMessage& message);

} // namespace kern
