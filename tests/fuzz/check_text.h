// What must hold for any tokenizer and any text.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/detokenizer.h"
#include "tokenizer/tokenizer.h"

namespace kern::fuzz {

inline void expect(bool holds) {
  if (!holds) __builtin_trap();
}

/// Decoded token by token, the ids give the same text as at once.
inline std::string check_decoding(const Tokenizer& tokenizer, const std::vector<Token>& ids, bool show_special) {
  Detokenizer detokenizer(tokenizer, show_special, true);
  std::string streamed;
  for (const Token id : ids) streamed += detokenizer.push(id);
  streamed += detokenizer.finish();
  expect(streamed == tokenizer.decode(ids, show_special));
  return streamed;
}

/// `exact`: the vocabulary spells every text, so that decoding gives it back.
inline void check_text(const Tokenizer& tokenizer, const std::string& text, bool parse_special, bool exact) {
  const auto ids = tokenizer.encode(text, {.add_special = false, .parse_special = parse_special});
  const std::string decoded = check_decoding(tokenizer, ids, parse_special);
  expect(!exact || decoded == text);
}

/// The bytes of a text as ids, whatever they spell.
inline void check_any_ids(const Tokenizer& tokenizer, const std::string& bytes, bool show_special) {
  std::vector<Token> ids;
  // 37: so that a byte reaches past the first 256 ids too
  for (std::size_t i = 0; i < bytes.size(); ++i)
    ids.push_back(static_cast<Token>((static_cast<unsigned char>(bytes[i]) + (i % 2) * 37) % tokenizer.vocab_size()));
  check_decoding(tokenizer, ids, show_special);
}

} // namespace kern::fuzz
