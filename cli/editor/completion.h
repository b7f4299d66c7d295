// What Tab makes of an unfinished line.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kern {

/// Words that may stand in the place of [begin, cursor).
struct Completion {
  std::size_t begin = 0;
  std::vector<std::string> words; // ascending; a folder ends in a slash
};

/// Completes the text before the cursor.
using Completer = std::function<Completion(std::string_view before_cursor)>;

/// What all words begin with, in whole characters.
std::string common_beginning(const std::vector<std::string>& words);

/// Paths that begin so, at most 1,000; hidden files only where the last part begins with a dot. "~/" is $HOME.
std::vector<std::string> matching_paths(const std::string& beginning);

/// Commands at the beginning of a text with one line, and paths behind the commands that take one.
Completion complete_command(std::string_view before_cursor, const std::vector<std::string>& commands,
                            const std::function<bool(std::string_view command)>& takes_path);

} // namespace kern
