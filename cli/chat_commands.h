// What a user types with a slash in front.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/chat_turns.h"

namespace kern {

/// "/help", "/undo"... in the order of /help.
std::vector<std::string> chat_command_names();
/// Whether the argument of a command is a path.
bool takes_path(std::string_view command);

class ChatCommands {
public:
  /// `chat` must outlive it. `can_edit`: a text can be given to the user to be changed.
  ChatCommands(ChatTurns& chat, bool can_edit) : chat_(chat), can_edit_(can_edit) {}

  /// Runs "/name argument". Returns what that means to a shell. Throws Error(usage) for what makes no sense; then all
  /// is as it was.
  ExitCode run(const std::string& line);
  /// Sends a message with the files that were added to it, or in the place of the one that is edited.
  ExitCode send(const std::string& text);

  bool leaves() const { return leaves_; }
  /// A text for the user to change; sending it puts it in the place of the last message.
  const std::optional<std::string>& edited() const { return edited_; }
  void forget_edit() { edited_.reset(); }

private:
  friend struct ChatCommand;

  ExitCode help(const std::string& argument);
  ExitCode undo(const std::string& argument);
  ExitCode regenerate(const std::string& argument);
  ExitCode edit(const std::string& argument);
  ExitCode system(const std::string& argument);
  ExitCode set(const std::string& argument);
  ExitCode save(const std::string& argument);
  ExitCode load(const std::string& argument);
  ExitCode branch(const std::string& argument);
  ExitCode stats(const std::string& argument);
  ExitCode clear(const std::string& argument);
  ExitCode file(const std::string& argument);
  ExitCode exit(const std::string& argument);

  ChatTurns& chat_;
  bool can_edit_;
  bool leaves_ = false;
  std::optional<std::string> edited_;
  std::string attached_; // texts of files for the next message, each behind a blank line
};

} // namespace kern
