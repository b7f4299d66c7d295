#include "engine/think.h"

#include <algorithm>
#include <utility>

namespace kern {

namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::size_t longest_header = 256; // bytes; one that is longer is no header

/// Bytes at the end of `text` that may be the beginning of `mark`.
std::size_t begun_mark(std::string_view text, std::string_view mark) {
  for (std::size_t length = std::min(text.size(), mark.size() - 1); length > 0; --length)
    if (text.ends_with(mark.substr(0, length))) return length;
  return 0;
}

} // namespace

ThinkSplitter::ThinkSplitter(ThinkFormat format, bool thinking) : format_(std::move(format)), state_(State::answer) {
  const bool reads_open = format_.kind == ThinkFormat::Kind::marks && !format_.open_token;
  if (reads_open) state_ = State::before;
  if (thinking) {
    open();
    at_label_ = false; // the prompt wrote it
  }
}

bool ThinkSplitter::is_mark(std::int32_t token) const {
  const auto is = [&](const std::optional<std::int32_t>& mark) { return mark && *mark == token; };
  return is(format_.open_token) || is(format_.close_token) || is(format_.channel) || is(format_.message) ||
         is(format_.start) || is(format_.end);
}

void ThinkSplitter::open() {
  state_ = State::thinking;
  at_label_ = !format_.label.empty();
  skips_space_ = true;
  space_.clear();
}

void ThinkSplitter::close() {
  if (state_ == State::thinking) skips_space_ = true;
  state_ = State::answer;
}

void ThinkSplitter::mark(std::int32_t token) {
  if (format_.kind == ThinkFormat::Kind::marks) {
    if (format_.open_token && token == *format_.open_token) open();
    else close();
    return;
  }
  if (token == *format_.message) {
    const bool is_thinking = state_ == State::channel && !held_.starts_with("final");
    held_.clear();
    if (is_thinking) return open();
    state_ = State::answer;
  } else if (token == *format_.channel) {
    held_.clear();
    state_ = State::channel;
  } else if (token == *format_.start) {
    close();
    held_.clear();
    state_ = State::role;
  } else {
    close();
  }
}

std::vector<ThinkPiece> ThinkSplitter::push(std::string_view text) {
  std::vector<ThinkPiece> out;
  held_ += text;
  for (bool again = true; again;) {
    switch (state_) {
    case State::before: again = read_before(); break;
    case State::thinking: again = read_thinking(out); break;
    case State::role:
    case State::channel:
      again = held_.size() > longest_header;
      if (again) state_ = State::answer;
      break;
    case State::answer: emit(out, false, std::exchange(held_, {})); again = false;
    }
  }
  return out;
}

bool ThinkSplitter::read_before() {
  const std::size_t begin = std::min(held_.find_first_not_of(white_space), held_.size());
  const std::string_view rest = std::string_view(held_).substr(begin);
  if (rest.starts_with(format_.open)) {
    held_.erase(0, begin + format_.open.size());
    open();
    return true;
  }
  if (format_.open.starts_with(rest)) return false;
  state_ = State::answer;
  return true;
}

bool ThinkSplitter::read_thinking(std::vector<ThinkPiece>& out) {
  if (at_label_) {
    if (held_.starts_with(format_.label)) held_.erase(0, format_.label.size());
    else if (format_.label.starts_with(held_)) return false;
    at_label_ = false;
  }
  const bool reads_close = format_.kind == ThinkFormat::Kind::marks && !format_.close_token;
  const std::size_t at = reads_close ? held_.find(format_.close) : std::string::npos;
  if (at != std::string::npos) {
    emit(out, true, held_.substr(0, at));
    held_.erase(0, at + format_.close.size());
    close();
    return true;
  }
  const std::size_t kept = reads_close ? begun_mark(held_, format_.close) : 0;
  emit(out, true, std::string_view(held_).substr(0, held_.size() - kept));
  held_.erase(0, held_.size() - kept);
  return false;
}

void ThinkSplitter::emit(std::vector<ThinkPiece>& out, bool thinking, std::string_view text) {
  if (skips_space_) text.remove_prefix(std::min(text.find_first_not_of(white_space), text.size()));
  if (text.empty()) return;
  skips_space_ = false;
  if (!thinking) {
    out.push_back({false, std::string(text)});
    return;
  }
  const std::size_t end = text.find_last_not_of(white_space);
  if (end == std::string_view::npos) {
    space_ += text;
    return;
  }
  out.push_back({true, std::exchange(space_, {}) + std::string(text.substr(0, end + 1))});
  space_ = text.substr(end + 1);
}

std::vector<ThinkPiece> ThinkSplitter::finish() {
  std::vector<ThinkPiece> out;
  // A header that nothing follows is half a mark.
  if (state_ != State::role && state_ != State::channel) emit(out, state_ == State::thinking, std::exchange(held_, {}));
  return out;
}

} // namespace kern
