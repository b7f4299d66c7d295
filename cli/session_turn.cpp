#include "cli/session_turn.h"

#include <fmt/format.h>

#include "cli/chat_status.h"
#include "model/error.h"

namespace kern {

SessionTurn::SessionTurn(const std::string& path, const std::optional<std::string>& system, const std::string& message)
    : file_(path, SessionFile::Kind::any), messages_(file_.messages()) {
  const bool has_system = !messages_.empty() && messages_.front().role == "system";
  if (system && has_system && messages_.front().content != *system)
    throw Error(ExitCode::usage,
                fmt::format("--system: {} has another system text; leave the flag out, or change the file's first line",
                            file_.name()));
  if (system && !has_system) {
    rewrites_ = !messages_.empty();
    messages_.insert(messages_.begin(), SessionMessage{"system", *system, {}, {}});
  }
  messages_.push_back({"user", message, {}, {}});
}

std::vector<ChatMessage> SessionTurn::messages() const {
  std::vector<ChatMessage> messages;
  for (const SessionMessage& message : messages_) messages.push_back({message.role, message.content});
  return messages;
}

void SessionTurn::store(std::string_view answer, const GenerateResult& result) {
  if (!is_answered(result)) return;
  messages_.push_back({"assistant", replace_invalid_utf8(answer), std::string(end_reason_name(result.reason)), {}});
  const std::span<const SessionMessage> messages = messages_;
  if (rewrites_) file_.rewrite(messages);
  else file_.append(messages.subspan(file_.messages().size()));
}

} // namespace kern
