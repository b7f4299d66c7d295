#include "cli/dialogue.h"

#include <algorithm>
#include <utility>

namespace kern {

std::vector<std::size_t> Dialogue::exchanges() const {
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < messages_.size(); ++i)
    if (messages_[i].role == "user") begins.push_back(i);
  return begins;
}

void Dialogue::replace(std::vector<SessionMessage> messages) {
  messages_ = std::move(messages);
  hidden_ = 0;
}

void Dialogue::add(std::string role, std::string content, std::string end) {
  messages_.push_back({std::move(role), std::move(content), std::move(end), {}});
}

SessionMessage Dialogue::take_last() {
  SessionMessage message = std::move(messages_.back());
  messages_.pop_back();
  return message;
}

std::vector<SessionMessage> Dialogue::take_last_exchange() {
  const std::vector<std::size_t> begins = exchanges();
  if (begins.empty()) return {};
  const auto begin = messages_.begin() + static_cast<std::ptrdiff_t>(begins.back());
  std::vector<SessionMessage> taken(std::make_move_iterator(begin), std::make_move_iterator(messages_.end()));
  messages_.erase(begin, messages_.end());
  hidden_ = hidden();
  return taken;
}

void Dialogue::clear() {
  const std::vector<std::size_t> begins = exchanges();
  if (!begins.empty()) messages_.resize(begins.front());
  hidden_ = 0;
}

std::optional<std::string> Dialogue::system() const {
  if (messages_.empty() || messages_.front().role != "system") return std::nullopt;
  return messages_.front().content;
}

void Dialogue::set_system(const std::string& text) {
  if (system()) {
    if (text.empty()) messages_.erase(messages_.begin());
    else messages_.front().content = text;
  } else if (!text.empty()) {
    messages_.insert(messages_.begin(), SessionMessage{"system", text, {}, {}});
  }
}

std::size_t Dialogue::hidden() const {
  const std::size_t count = exchanges().size();
  const std::size_t kept = overflow_ == Overflow::middle ? 2 : 1; // the newest, and maybe the first
  return std::min(hidden_, count > kept ? count - kept : 0);
}

bool Dialogue::hide_one() {
  if (overflow_ == Overflow::refuse) return false;
  hidden_ = hidden() + 1;
  return hidden() == hidden_;
}

std::vector<ChatMessage> Dialogue::visible() const {
  const std::vector<std::size_t> begins = exchanges();
  const std::size_t first = overflow_ == Overflow::middle ? 1 : 0;
  const std::size_t count = hidden();
  const std::size_t hide_begin = count != 0 ? begins[first] : 0;
  const std::size_t hide_end = count != 0 ? begins[first + count] : 0;
  std::vector<ChatMessage> seen;
  for (std::size_t i = 0; i < messages_.size(); ++i)
    if (i < hide_begin || i >= hide_end) seen.push_back({messages_[i].role, messages_[i].content});
  return seen;
}

} // namespace kern
