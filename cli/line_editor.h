// The line editor on a terminal.
#pragma once

#include "cli/chat_input.h"
#include "cli/editor/editor.h"
#include "cli/editor/screen.h"
#include "cli/terminal_mode.h"

namespace kern {

/// Reads turns key by key from the terminal on standard input, and shows them on the one on standard error. The
/// terminal is as it was before once this is gone.
class LineEditor : public ChatInput {
public:
  LineEditor(std::string prompt, Completer complete);

  ChatLine read(const std::string& initial) override;
  bool edits() const override { return true; }

private:
  /// Bytes of the terminal as keys. False where there will be none any more.
  bool wait_for_keys();
  void draw();
  /// Leaves the text as it is on the screen.
  void settle();
  void suspend();
  ChatLine interrupted_line();

  TerminalMode mode_;
  History history_;
  Editor editor_;
  KeyDecoder keys_;
  Screen screen_;
};

} // namespace kern
