#include "tokenizer/detokenizer.h"

#include "tokenizer/unicode.h"

namespace kern {

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool show_special, bool at_start)
    : tokenizer_(tokenizer), show_special_(show_special), at_start_(at_start) {}

std::string Detokenizer::push(Token token) {
  held_ += tokenizer_.decode(std::span(&token, 1), show_special_, at_start_);
  at_start_ = tokenizer_.restarts_text(token);
  std::string tail = held_.substr(held_.size() - unfinished_utf8_tail(held_));
  held_.resize(held_.size() - tail.size());
  held_.swap(tail);
  return tail;
}

std::string Detokenizer::finish() {
  std::string rest;
  rest.swap(held_);
  return rest;
}

} // namespace kern
