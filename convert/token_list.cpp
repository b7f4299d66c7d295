#include "convert/token_list.h"

#include <fmt/format.h>

namespace kern {

TokenList::TokenList(std::uint64_t size, float score) : scores_(size, score), types_(size, token_type::unused) {
  texts_.reserve(size);
  for (std::uint64_t i = 0; i < size; ++i) texts_.push_back(fmt::format("[PAD{}]", i));
}

void TokenList::set(std::uint64_t id, std::string text, float score, std::int32_t type) {
  texts_[id] = std::move(text);
  scores_[id] = score;
  types_[id] = type;
}

void TokenList::write(Keys& keys, bool with_scores) const {
  keys.set("tokenizer.ggml.tokens", texts_);
  keys.set("tokenizer.ggml.token_type", types_);
  if (with_scores) keys.set("tokenizer.ggml.scores", scores_);
}

std::uint64_t checked_vocab_size(const JsonObject& place, std::uint64_t claimed, std::uint64_t found) {
  constexpr std::uint64_t padding = 1u << 16; // more than any model rounds up
  if (claimed > found + padding)
    place.fail("vocab_size", fmt::format("found {}, expected about the {} tokens of the tokenizer; the files belong to "
                                         "different models",
                                         claimed, found));
  return claimed;
}

bool looks_special(std::string_view text) {
  for (const std::string_view known : {"<pad>", "<mask>", "<2mass>", "[@BOS@]"})
    if (text == known) return true;
  const auto framed = [&](std::string_view begin, std::string_view end) {
    return text.starts_with(begin) && text.ends_with(end);
  };
  return framed("<|", "|>") || framed("<｜", "｜>") || framed("<unused", ">");
}

std::string with_spaces(std::string_view text) {
  constexpr std::string_view mark = "\xE2\x96\x81"; // "▁"
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text.substr(i).starts_with(mark)) {
      out += ' ';
      i += mark.size();
    } else {
      out += text[i++];
    }
  }
  return out;
}

} // namespace kern
