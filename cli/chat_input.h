// Where the turns of a chat come from.
#pragma once

#include <string>

namespace kern {

struct ChatLine {
  enum class Kind {
    text,
    end,         // nothing more will come
    interrupted, // Ctrl-C or another signal that asks for an end
  };
  Kind kind = Kind::end;
  std::string text; // as typed; all lines of a block
};

class ChatInput {
public:
  virtual ~ChatInput() = default;
  /// Waits for what the user says next. `initial` is there to be changed, where that is possible. Throws Error(usage)
  /// where it can't be read.
  virtual ChatLine read(const std::string& initial) = 0;
  /// Whether `initial` is heeded.
  virtual bool edits() const = 0;
};

/// Lines of standard input as they are: from a pipe or file, or from a terminal that knows no escape sequences.
class PlainInput : public ChatInput {
public:
  /// `prompt` is written to standard error before each turn.
  explicit PlainInput(std::string prompt) : prompt_(std::move(prompt)) {}

  ChatLine read(const std::string& initial) override;
  bool edits() const override { return false; }

private:
  /// One line without its end.
  ChatLine read_line();

  std::string prompt_;
  std::string buffer_; // read, but not yet taken
  std::size_t searched_ = 0;
  bool ended_ = false;
};

} // namespace kern
