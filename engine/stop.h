// Stop strings in a stream of text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kern {

/// Passes text on as soon as it is certain not to begin a stop string, so that a half-matched one never leaks.
class StopMatcher {
public:
  /// Empty strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  /// Text that may be shown now. After a stop string was found: what came before it, then nothing.
  std::string push(std::string_view text);
  /// What is still held when the text ends without a stop string.
  std::string finish();
  /// The stop string found, or empty.
  const std::string& found() const { return found_; }

private:
  std::vector<std::string> stops_;
  std::string held_;
  std::string found_;
};

} // namespace kern
