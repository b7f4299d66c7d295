#include "cli/editor/text_buffer.h"

#include <algorithm>
#include <utility>

#include "cli/editor/keys.h"
#include "cli/editor/width.h"

namespace kern {

namespace {

constexpr std::size_t max_versions = 500;
constexpr std::size_t max_version_bytes = 8 * max_edit_bytes;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

/// Letters, digits and all that isn't ASCII.
bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

} // namespace

void TextBuffer::reset(std::string text) {
  text_ = std::move(text);
  cursor_ = text_.size();
  versions_.clear();
  version_bytes_ = 0;
  moved();
}

void TextBuffer::replace(std::string text) {
  will_change(Change::other);
  text_ = std::move(text);
  cursor_ = text_.size();
}

void TextBuffer::will_change(Change change) {
  const bool goes_on = change == Change::typing && last_ == Change::typing;
  if (!goes_on) {
    versions_.push_back({text_, cursor_});
    version_bytes_ += text_.size();
    while (versions_.size() > max_versions || (version_bytes_ > max_version_bytes && versions_.size() > 1)) {
      version_bytes_ -= versions_.front().text.size();
      versions_.pop_front();
    }
  }
  last_ = change;
  wanted_column_ = -1;
}

bool TextBuffer::insert(std::string_view text) {
  if (text.size() > max_edit_bytes - std::min(text_.size(), max_edit_bytes)) return false;
  will_change(Change::other);
  text_.insert(cursor_, text);
  cursor_ += text.size();
  return true;
}

bool TextBuffer::type(std::string_view text) {
  if (text.size() > max_edit_bytes - std::min(text_.size(), max_edit_bytes)) return false;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin + 1;
    while (end < text.size() && (is_blank(text[end]) || !is_blank(text[end - 1]))) ++end;
    if (!is_blank(text[begin]) && cursor_ > 0 && is_blank(text_[cursor_ - 1])) last_ = Change::none;
    will_change(Change::typing);
    text_.insert(cursor_, text.substr(begin, end - begin));
    cursor_ += end - begin;
    begin = end;
  }
  return true;
}

std::size_t TextBuffer::line_begin(std::size_t position) const {
  const std::size_t newline = position == 0 ? std::string::npos : text_.rfind('\n', position - 1);
  return newline == std::string::npos ? 0 : newline + 1;
}

std::size_t TextBuffer::line_finish(std::size_t position) const {
  return std::min(text_.find('\n', position), text_.size());
}

std::size_t TextBuffer::word_before(std::size_t position) const {
  while (position > 0 && !is_word(text_[position - 1])) --position;
  while (position > 0 && is_word(text_[position - 1])) --position;
  return position;
}

std::size_t TextBuffer::word_behind(std::size_t position) const {
  while (position < text_.size() && !is_word(text_[position])) ++position;
  while (position < text_.size() && is_word(text_[position])) ++position;
  return position;
}

void TextBuffer::moved() {
  last_ = Change::none;
  wanted_column_ = -1;
}

void TextBuffer::left() {
  if (cursor_ > 0) cursor_ = previous_character(text_, cursor_);
  moved();
}

void TextBuffer::right() {
  if (cursor_ < text_.size()) cursor_ = next_character(text_, cursor_);
  moved();
}

void TextBuffer::word_left() {
  cursor_ = word_before(cursor_);
  moved();
}

void TextBuffer::word_right() {
  cursor_ = word_behind(cursor_);
  moved();
}

void TextBuffer::line_home() {
  cursor_ = line_begin(cursor_);
  moved();
}

void TextBuffer::line_end() {
  cursor_ = line_finish(cursor_);
  moved();
}

int TextBuffer::column() const {
  const std::size_t begin = line_begin(cursor_);
  return columns_of(std::string_view(text_).substr(begin, cursor_ - begin));
}

void TextBuffer::to_column(std::size_t begin, int column) {
  const std::size_t end = line_finish(begin);
  int reached = 0;
  cursor_ = begin;
  while (cursor_ < end) {
    const std::size_t next = next_character(text_, cursor_);
    reached += show_character(std::string_view(text_).substr(cursor_, next - cursor_)).columns;
    if (reached > column) break;
    cursor_ = next;
  }
}

bool TextBuffer::up() {
  const std::size_t begin = line_begin(cursor_);
  if (begin == 0) return false;
  if (wanted_column_ < 0) wanted_column_ = column();
  to_column(line_begin(begin - 1), wanted_column_);
  last_ = Change::none;
  return true;
}

bool TextBuffer::down() {
  const std::size_t end = line_finish(cursor_);
  if (end == text_.size()) return false;
  if (wanted_column_ < 0) wanted_column_ = column();
  to_column(end + 1, wanted_column_);
  last_ = Change::none;
  return true;
}

void TextBuffer::erase(std::size_t begin, std::size_t end) {
  text_.erase(begin, end - begin);
  cursor_ = begin;
}

void TextBuffer::erase_left() {
  if (cursor_ == 0) return;
  will_change(Change::other);
  erase(previous_character(text_, cursor_), cursor_);
}

void TextBuffer::erase_right() {
  if (cursor_ == text_.size()) return;
  will_change(Change::other);
  erase(cursor_, next_character(text_, cursor_));
}

void TextBuffer::cut(std::size_t begin, std::size_t end, bool to_the_left) {
  if (begin == end) return;
  const std::string piece = text_.substr(begin, end - begin);
  if (last_ != Change::cutting) cut_ = piece;
  else cut_ = to_the_left ? piece + cut_ : cut_ + piece;
  will_change(Change::cutting);
  erase(begin, end);
}

void TextBuffer::cut_to_line_end() {
  const std::size_t end = line_finish(cursor_);
  // At the end of a line that is its newline.
  cut(cursor_, end == cursor_ ? std::min(end + 1, text_.size()) : end, false);
}

void TextBuffer::cut_to_line_home() { cut(line_begin(cursor_), cursor_, true); }
void TextBuffer::cut_word_left() { cut(word_before(cursor_), cursor_, true); }
void TextBuffer::cut_word_right() { cut(cursor_, word_behind(cursor_), false); }

void TextBuffer::cut_blank_word() {
  std::size_t begin = cursor_;
  while (begin > 0 && is_blank(text_[begin - 1])) --begin;
  while (begin > 0 && !is_blank(text_[begin - 1])) --begin;
  cut(begin, cursor_, true);
}

void TextBuffer::put_back() {
  if (!cut_.empty()) insert(cut_);
}

void TextBuffer::swap() {
  if (text_.empty()) return;
  const std::size_t second = cursor_ == text_.size() ? previous_character(text_, cursor_) : cursor_;
  if (second == 0 || text_[second] == '\n') return;
  const std::size_t first = previous_character(text_, second);
  if (text_[first] == '\n') return;
  will_change(Change::other);
  const std::size_t end = next_character(text_, second);
  std::rotate(text_.begin() + static_cast<std::ptrdiff_t>(first), text_.begin() + static_cast<std::ptrdiff_t>(second),
              text_.begin() + static_cast<std::ptrdiff_t>(end));
  cursor_ = end;
}

void TextBuffer::undo() {
  if (versions_.empty()) return;
  Version before = std::move(versions_.back());
  versions_.pop_back();
  version_bytes_ -= before.text.size();
  text_ = std::move(before.text);
  cursor_ = before.cursor;
  moved();
}

} // namespace kern
