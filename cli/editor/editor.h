// Keys in, a text and what is to be shown of it out. Knows no terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/editor/completion.h"
#include "cli/editor/history.h"
#include "cli/editor/keys.h"
#include "cli/editor/layout.h"
#include "cli/editor/text_buffer.h"

namespace kern {

/// What has to happen outside after a key.
enum class EditEvent : std::uint8_t {
  none,
  submitted,   // text() is what the user says
  interrupted, // Ctrl-C: text() is to be forgotten
  leaves,      // Ctrl-D where nothing is written
  suspended,   // Ctrl-Z
  cleared,     // Ctrl-L
  too_long,    // what was pasted or typed would be more than max_edit_bytes
};

class Editor {
public:
  /// `history` must outlive it. `prompt`: before the text.
  Editor(History& history, Completer complete, std::string prompt);

  /// A new text to edit.
  void begin(std::string text);
  EditEvent handle(const Key& key);
  const std::string& text() const { return buffer_.text(); }
  /// What is to be shown now.
  View view() const;
  /// Without menu and search, the cursor at the end: as the text stays on the terminal.
  View final_view() const;

private:
  /// An incremental search through the history, from new to old.
  struct Search {
    std::string query;
    std::size_t entry;  // that is shown
    std::size_t at = 0; // where the query is in it
    bool found = true;
    std::string text_before; // to come back to
    std::size_t cursor_before;
  };

  EditEvent handle_text_key(const Key& key);
  void handle_moving_key(KeyKind kind);
  void handle_cutting_key(KeyKind kind);
  EditEvent enter();
  EditEvent insert(const std::string& text, bool typed);
  void go_to_entry(std::size_t index);
  void older();
  void newer();
  void complete();
  /// Whether the key was part of the search.
  bool handle_search_key(const Key& key);
  void begin_search();
  /// The newest entry before `end` that has the query.
  void find_before(std::size_t end);

  History& history_;
  Completer complete_;
  std::string prompt_;
  TextBuffer buffer_;
  std::size_t entry_ = 0;  // of the history; its size: the text that is being written
  std::string unfinished_; // that text, while another is shown
  std::vector<std::string> menu_;
  std::optional<Search> search_;
};

} // namespace kern
