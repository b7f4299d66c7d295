// What a chat says about itself, on standard error.
#pragma once

#include <string>
#include <string_view>

#include "cli/chat_turns.h"

namespace kern {

/// One line about a turn: tokens, speed, what is left of `context` positions, and how it ended where that wasn't the
/// model's doing.
std::string status_text(const TurnRecord& turn, int context);

/// A line of kern's own, dim where standard error is a terminal that knows how.
std::string chat_notice(std::string_view text);

/// /stats: a line a figure.
std::string stats_text(const ChatTurns& chat);

/// Whether there is an answer: not one that was ended before its first token.
bool is_answered(const GenerateResult& result);

/// Bytes that are no UTF-8, as half a character at the end of an interrupted answer, as U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

} // namespace kern
