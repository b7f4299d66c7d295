// How tokenizer.json splits text into words, by the name GGUF has for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "convert/json_reader.h"

namespace kern {

struct SplittingName {
  std::string name;      // tokenizer.ggml.pre
  bool same_words_first; // whether it agrees with the tokenizer on words that are tokens, whatever the merges say
};

/// `tokenizer`: the top of tokenizer.json. Throws Error(model) for a splitting that GGUF has no name for, and for
/// normalizers that change texts.
SplittingName recognize_splitting(const JsonObject& tokenizer);

/// A pattern as kern spells it: characters beyond ASCII as \x{...}.
std::string spell_pattern(std::string_view pattern);

} // namespace kern
