#include "cli/chat_status.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "cli/signals.h"
#include "cli/terminal.h"
#include "tokenizer/unicode.h"

namespace kern {

namespace {

constexpr double nearly_full = 0.85;

std::size_t used_positions(const TurnRecord& turn) { return turn.prompt_tokens + turn.result.tokens.size(); }

double tokens_per_second(const GenerateResult& result) {
  return result.decode_seconds > 0.0 ? static_cast<double>(result.token_seconds.size()) / result.decode_seconds : 0.0;
}

/// Empty where the model ended its answer.
std::string explain_end(const TurnRecord& turn) {
  switch (turn.result.reason) {
  case EndReason::length: return ", -n reached";
  case EndReason::context: return ", CUT: the context is full; /undo, /clear or -c makes room";
  case EndReason::time: return ", CUT by --max-time";
  case EndReason::interrupted: return ", " + interruption_name();
  case EndReason::stop_string: return fmt::format(", ended by the stop text \"{}\"", escape_line(turn.result.stop));
  default: return "";
  }
}

} // namespace

std::string status_text(const TurnRecord& turn, int context) {
  const std::size_t used = used_positions(turn);
  const auto room = static_cast<std::size_t>(context);
  std::string text = fmt::format("{} tokens, {:.1f} tokens/s, context {} of {}, {} left", turn.result.tokens.size(),
                                 tokens_per_second(turn.result), used, context, room - std::min(used, room));
  const double share = static_cast<double>(used) / static_cast<double>(context);
  if (share > nearly_full && turn.result.reason != EndReason::context)
    text += fmt::format(" ({:.0f}% full)", share * 100.0);
  return text + explain_end(turn);
}

std::string chat_notice(std::string_view text) {
  const char* no_color = std::getenv("NO_COLOR"); // https://no-color.org
  const bool dim = stderr_is_terminal() && knows_escapes() && !(no_color && *no_color);
  return fmt::format("{}[{}]{}\n", dim ? "\x1b[2m" : "", text, dim ? "\x1b[0m" : "");
}

std::string stats_text(const ChatTurns& chat) {
  std::string out;
  if (const auto& turn = chat.last_turn()) {
    const GenerateResult& result = turn->result;
    out += fmt::format("prompt   {} tokens: {} prefilled in {:.3f} s, {} in the cache\n", turn->prompt_tokens,
                       result.prompt_tokens, result.prefill_seconds, turn->cached_tokens);
    out += fmt::format("answer   {} tokens, first after {:.3f} s, then {:.1f} tokens/s\n", result.tokens.size(),
                       result.first_token_seconds, tokens_per_second(result));
    out += fmt::format("end      {}; draw {}\n", end_reason_name(result.reason), turn->draw + 1);
    out += fmt::format("context  {} of {}, {} exchanges hidden\n", used_positions(*turn), chat.session().context(),
                       turn->hidden);
  } else {
    out += fmt::format("context  0 of {}\n", chat.session().context());
  }
  out += fmt::format("seed     {}\n", chat.generation().seed.value_or(0));
  out += fmt::format("session  {} messages, {}\n", chat.dialogue().messages().size(),
                     chat.file() ? chat.file()->name() : "not stored");
  return out;
}

bool is_answered(const GenerateResult& result) {
  const bool cut_short = result.reason == EndReason::interrupted || result.reason == EndReason::time;
  return !cut_short || !result.tokens.empty();
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_character(text, i);
    if (length == 0) out += "\xEF\xBF\xBD";
    else out += text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
  }
  return out;
}

} // namespace kern
