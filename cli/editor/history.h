// What was typed before.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kern {

inline constexpr std::size_t max_history_entries = 1000;
inline constexpr std::size_t max_history_entry_bytes = std::size_t{64} << 10; // longer ones live as long as the process

/// Entries of a history file: a line each, newlines in them as \n, backslashes as \\. Lines that are too long or no
/// UTF-8 are left out; of too many the newest are kept.
std::vector<std::string> parse_history(std::string_view text);
/// The line of an entry, with its newline.
std::string history_line(std::string_view entry);

/// The oldest first. With a file, every process appends to the same one and none loses what another wrote.
class History {
public:
  /// Only for this process.
  History() = default;
  /// Reads the file, if there is one. What can't be read or written is no error: then nothing is kept.
  explicit History(std::filesystem::path file);

  const std::vector<std::string>& entries() const { return entries_; }
  /// Adds an entry, unless it is the last one already.
  void add(const std::string& entry);

private:
  void append_to_file(const std::string& entry) const;

  std::vector<std::string> entries_;
  std::optional<std::filesystem::path> file_;
};

/// $XDG_STATE_HOME/kern/history or ~/.local/state/kern/history; nothing where neither is set.
std::optional<std::filesystem::path> history_path();

} // namespace kern
