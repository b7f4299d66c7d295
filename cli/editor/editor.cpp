#include "cli/editor/editor.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cli/editor/width.h"
#include "cli/turn_text.h"

namespace kern {

Editor::Editor(History& history, Completer complete, std::string prompt)
    : history_(history), complete_(std::move(complete)), prompt_(std::move(prompt)) {}

void Editor::begin(std::string text) {
  buffer_.reset(std::move(text));
  entry_ = history_.entries().size();
  unfinished_.clear();
  menu_.clear();
  search_.reset();
}

View Editor::view() const {
  if (search_)
    return {fmt::format("{} '{}': ", search_->found ? "search" : "not found", search_->query),
            buffer_.text(),
            buffer_.cursor(),
            {}};
  return {prompt_, buffer_.text(), buffer_.cursor(), menu_};
}

View Editor::final_view() const { return {prompt_, buffer_.text(), buffer_.text().size(), {}}; }

EditEvent Editor::handle(const Key& key) {
  menu_.clear();
  if (search_ && handle_search_key(key)) return EditEvent::none;
  switch (key.kind) {
  case KeyKind::enter: return enter();
  case KeyKind::interrupt: return EditEvent::interrupted;
  case KeyKind::suspend: return EditEvent::suspended;
  case KeyKind::clear_screen: return EditEvent::cleared;
  case KeyKind::erase_right_or_leave:
    if (buffer_.text().empty()) return EditEvent::leaves;
    buffer_.erase_right();
    return EditEvent::none;
  default: return handle_text_key(key);
  }
}

EditEvent Editor::handle_text_key(const Key& key) {
  switch (key.kind) {
  case KeyKind::text: return insert(key.text, true);
  case KeyKind::paste: return insert(key.text, false);
  case KeyKind::newline: return insert("\n", true);
  case KeyKind::tab: complete(); break;
  case KeyKind::search: begin_search(); break;
  default: handle_moving_key(key.kind); handle_cutting_key(key.kind);
  }
  return EditEvent::none;
}

void Editor::handle_moving_key(KeyKind kind) {
  switch (kind) {
  case KeyKind::left: buffer_.left(); break;
  case KeyKind::right: buffer_.right(); break;
  case KeyKind::word_left: buffer_.word_left(); break;
  case KeyKind::word_right: buffer_.word_right(); break;
  case KeyKind::home: buffer_.line_home(); break;
  case KeyKind::end: buffer_.line_end(); break;
  case KeyKind::up:
    if (!buffer_.up()) older();
    break;
  case KeyKind::down:
    if (!buffer_.down()) newer();
    break;
  default: break;
  }
}

void Editor::handle_cutting_key(KeyKind kind) {
  switch (kind) {
  case KeyKind::erase_left: buffer_.erase_left(); break;
  case KeyKind::erase_right: buffer_.erase_right(); break;
  case KeyKind::cut_to_end: buffer_.cut_to_line_end(); break;
  case KeyKind::cut_to_home: buffer_.cut_to_line_home(); break;
  case KeyKind::cut_blank_word: buffer_.cut_blank_word(); break;
  case KeyKind::cut_word_left: buffer_.cut_word_left(); break;
  case KeyKind::cut_word_right: buffer_.cut_word_right(); break;
  case KeyKind::put_back: buffer_.put_back(); break;
  case KeyKind::swap: buffer_.swap(); break;
  case KeyKind::undo: buffer_.undo(); break;
  default: break;
  }
}

EditEvent Editor::insert(const std::string& text, bool typed) {
  const bool fits = typed ? buffer_.type(text) : buffer_.insert(text);
  return fits ? EditEvent::none : EditEvent::too_long;
}

EditEvent Editor::enter() {
  const std::string& text = buffer_.text();
  if (!wants_more(text)) return EditEvent::submitted;
  buffer_.to(text.size());
  if (!is_open_block(text)) buffer_.erase_left(); // the backslash
  return insert("\n", false);
}

void Editor::go_to_entry(std::size_t index) {
  const auto& entries = history_.entries();
  if (entry_ >= entries.size()) unfinished_ = buffer_.text();
  entry_ = index;
  buffer_.reset(index < entries.size() ? entries[index] : unfinished_);
}

void Editor::older() {
  if (entry_ > 0) go_to_entry(std::min(entry_, history_.entries().size()) - 1);
}

void Editor::newer() {
  if (entry_ < history_.entries().size()) go_to_entry(entry_ + 1);
}

void Editor::complete() {
  const std::string before = buffer_.text().substr(0, buffer_.cursor());
  Completion completion = complete_(before);
  const std::string common = common_beginning(completion.words);
  const std::string written = before.substr(std::min(completion.begin, before.size()));
  if (completion.words.empty() || !common.starts_with(written)) return;
  const bool only = completion.words.size() == 1;
  const std::string rest = common.substr(written.size()) + (only && !common.ends_with('/') ? " " : "");
  if (!rest.empty()) buffer_.insert(rest);
  else if (!only) menu_ = std::move(completion.words);
}

void Editor::begin_search() {
  search_ = Search{{}, history_.entries().size(), 0, true, buffer_.text(), buffer_.cursor()};
  if (entry_ >= history_.entries().size()) unfinished_ = buffer_.text();
}

void Editor::find_before(std::size_t end) {
  const auto& entries = history_.entries();
  for (std::size_t i = std::min(end, entries.size()); i-- > 0;) {
    const std::size_t at = entries[i].find(search_->query);
    if (at == std::string::npos) continue;
    search_->entry = i;
    search_->found = true;
    buffer_.reset(entries[i]);
    buffer_.to(at);
    return;
  }
  search_->found = false;
}

bool Editor::handle_search_key(const Key& key) {
  Search& search = *search_;
  switch (key.kind) {
  case KeyKind::text:
    search.query += key.text;
    find_before(search.entry + 1); // what is shown may still fit
    return true;
  case KeyKind::search:
    if (!search.query.empty()) find_before(search.entry);
    return true;
  case KeyKind::erase_left:
    if (!search.query.empty()) search.query.resize(previous_character(search.query, search.query.size()));
    search.entry = history_.entries().size(); // from the newest again
    search.found = true;
    if (!search.query.empty()) find_before(search.entry);
    return true;
  case KeyKind::cancel:
  case KeyKind::interrupt:
    buffer_.reset(std::move(search.text_before));
    buffer_.to(search.cursor_before);
    search_.reset();
    return true;
  case KeyKind::nothing: return true;
  default: break;
  }
  // Any other key takes what is shown, and does what it always does.
  if (search.entry < history_.entries().size()) entry_ = search.entry;
  search_.reset();
  return key.kind == KeyKind::escape;
}

} // namespace kern
