// One turn of a session, for a command that answers once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session_file.h"
#include "engine/generate.h"
#include "tokenizer/chat_template.h"

namespace kern {

class SessionTurn {
public:
  /// Opens the session and adds what the user says, which isn't stored before its answer is. Throws Error(usage) where
  /// the file is no session, is in use, or has another system text than `system`.
  SessionTurn(const std::string& path, const std::optional<std::string>& system, const std::string& message);

  /// The conversation up to the message.
  std::vector<ChatMessage> messages() const;
  /// Stores message and answer; nothing where the answer ended before its first token. Throws Error(output).
  void store(std::string_view answer, const GenerateResult& result);
  /// What was done about a torn last line; empty where there was none.
  const std::string& repair() const { return file_.repair(); }

private:
  SessionFile file_;
  std::vector<SessionMessage> messages_; // those of the file first, but for a system text that came later
  bool rewrites_ = false;
};

} // namespace kern
