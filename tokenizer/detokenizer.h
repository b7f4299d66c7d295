// Streaming decode: token by token, never half a UTF-8 character.
#pragma once

#include <string>

#include "tokenizer/tokenizer.h"

namespace kern {

/// Turns ids into text as they come. What push() and finish() return, put together, equals Tokenizer::decode of all
/// ids. Bytes that begin a UTF-8 character are held until the character is complete or can't become one; bytes that are
/// no UTF-8 at all are passed on as they are.
class Detokenizer {
public:
  /// `at_start`: the first id begins a text, so the model's leading-space rule is undone there.
  Detokenizer(const Tokenizer& tokenizer, bool show_special, bool at_start);

  std::string push(Token token);
  /// What is still held.
  std::string finish();

private:
  const Tokenizer& tokenizer_;
  bool show_special_;
  bool at_start_;
  std::string held_;
};

} // namespace kern
