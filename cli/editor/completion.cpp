#include "cli/editor/completion.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "cli/editor/width.h"

namespace kern {

std::string common_beginning(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  const std::string& first = words.front();
  std::size_t same = first.size();
  for (const std::string& word : words)
    same = std::min(same, static_cast<std::size_t>(std::ranges::mismatch(first, word).in1 - first.begin()));
  std::size_t whole = 0;
  while (whole < same) {
    const std::size_t next = next_character(first, whole);
    if (next > same) break;
    whole = next;
  }
  return first.substr(0, whole);
}

std::vector<std::string> matching_paths(const std::string& beginning) {
  constexpr std::size_t most = 1000;
  const std::size_t slash = beginning.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : beginning.substr(0, slash + 1);
  const std::string name = beginning.substr(folder.size());
  const char* home = std::getenv("HOME");
  const std::string place = folder.empty() ? "." : folder.starts_with("~/") && home ? home + folder.substr(1) : folder;
  std::vector<std::string> found;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(place, error);
       !error && entry != std::filesystem::directory_iterator() && found.size() < most; entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    const bool hidden = file.starts_with('.') && !name.starts_with('.');
    const bool breaks_line = std::ranges::any_of(file, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    if (hidden || breaks_line || !file.starts_with(name)) continue;
    std::error_code ignored;
    found.push_back(folder + file + (entry->is_directory(ignored) ? "/" : ""));
  }
  std::ranges::sort(found);
  return found;
}

Completion complete_command(std::string_view before_cursor, const std::vector<std::string>& commands,
                            const std::function<bool(std::string_view command)>& takes_path) {
  if (!before_cursor.starts_with('/') || before_cursor.find('\n') != std::string_view::npos) return {};
  const std::size_t space = before_cursor.find(' ');
  if (space == std::string_view::npos) {
    Completion completion;
    for (const std::string& command : commands)
      if (command.starts_with(before_cursor)) completion.words.push_back(command);
    std::ranges::sort(completion.words);
    return completion;
  }
  if (!takes_path(before_cursor.substr(0, space))) return {};
  const std::size_t begin = std::min(before_cursor.find_first_not_of(' ', space), before_cursor.size());
  return {begin, matching_paths(std::string(before_cursor.substr(begin)))};
}

} // namespace kern
