// The messages of a chat, and which of them the model still sees.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session_text.h"
#include "tokenizer/chat_template.h"

namespace kern {

/// What happens where the conversation no longer fits the context.
enum class Overflow {
  refuse,
  middle,       // the first exchange and the newest stay
  oldest_turns, // the newest stay
};

/// An exchange is a user's message and all that follows it up to the next one.
class Dialogue {
public:
  explicit Dialogue(Overflow overflow) : overflow_(overflow) {}

  const std::vector<SessionMessage>& messages() const { return messages_; }
  void replace(std::vector<SessionMessage> messages);
  void add(std::string role, std::string content, std::string end = {});
  /// Takes the last message away and returns it. There must be one.
  SessionMessage take_last();
  /// Takes the last exchange away. Returns its messages; none where there is no exchange.
  std::vector<SessionMessage> take_last_exchange();
  /// Takes all exchanges away; the system text stays.
  void clear();

  /// The text of the system's message, if there is one.
  std::optional<std::string> system() const;
  /// Empty: none.
  void set_system(const std::string& text);
  bool waits_for_answer() const { return !messages_.empty() && messages_.back().role == "user"; }

  /// What the model sees.
  std::vector<ChatMessage> visible() const;
  /// Hides one more exchange from the model, as the overflow rule says; false where none may be hidden.
  bool hide_one();
  /// Exchanges that are hidden, and those that aren't.
  std::size_t hidden() const;
  std::size_t visible_exchanges() const { return exchanges().size() - hidden(); }

private:
  /// Where the exchanges begin, ascending.
  std::vector<std::size_t> exchanges() const;

  Overflow overflow_;
  std::vector<SessionMessage> messages_;
  std::size_t hidden_ = 0; // exchanges, from the first that may be hidden on
};

} // namespace kern
