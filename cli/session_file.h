// A session on the disk: appended turn by turn, used by one process at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session_text.h"

namespace kern {

/// Open and locked as long as it lives.
class SessionFile {
public:
  enum class Kind {
    any,  // what is there is read, else it is made
    made, // it must not be there yet
  };

  /// Opens, locks and reads the file. A torn last line is moved to FILE.torn. Throws Error(usage) where it can't be
  /// opened, is in use, or is no session.
  SessionFile(const std::filesystem::path& path, Kind kind);
  ~SessionFile();
  SessionFile(const SessionFile&) = delete;
  SessionFile& operator=(const SessionFile&) = delete;

  /// The path as it was given.
  const std::string& name() const { return name_; }
  const std::filesystem::path& path() const { return path_; }
  /// What the file held when it was opened.
  const std::vector<SessionMessage>& messages() const { return messages_; }
  /// What was done about a torn last line, one line of text; empty where there was none.
  const std::string& repair() const { return repair_; }

  /// Adds messages at the end, all or none, with one write that is flushed to the disk. Throws Error(output).
  void append(std::span<const SessionMessage> messages);
  /// Puts these messages in the place of all; the file is the old or the new one at any time. Throws Error(output).
  void rewrite(std::span<const SessionMessage> messages);

private:
  void open_locked(Kind kind);
  void read();
  void move_torn_line(std::string_view text, std::size_t whole_bytes);
  [[noreturn]] void fail_to_open(std::string_view what) const;
  [[noreturn]] void fail_to_store(int error) const;

  std::filesystem::path path_; // without links, so that a rename replaces the file and not a link to it
  std::string name_;
  std::vector<SessionMessage> messages_;
  std::string repair_;
  bool ends_line_ = true; // whether the last line has its newline
  int file_ = -1;
};

/// The messages of a session that stays as it is. Throws Error(usage).
std::vector<SessionMessage> read_session(const std::filesystem::path& path);

/// A new session that holds these messages. Throws Error(usage) where there is such a file already, Error(output) where
/// it can't be written; then nothing is left behind.
std::unique_ptr<SessionFile> make_session(const std::filesystem::path& path, std::span<const SessionMessage> messages);

/// Writes a session that is whole or absent; it may replace another session, nothing else. Throws Error(usage) for
/// what is no session, Error(output) where it can't be written.
void save_session(const std::filesystem::path& path, std::span<const SessionMessage> messages);

} // namespace kern
