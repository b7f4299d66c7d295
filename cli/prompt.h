// What an answer follows.
#pragma once

#include <cstdint>
#include <vector>

#include "cli/thinking.h"
#include "tokenizer/tokenizer.h"

namespace kern {

/// Ids to prefill, and ids that end the answer.
struct Prompt {
  std::vector<Token> tokens;
  std::vector<Token> end_tokens; // ascending
  std::uint32_t draw = 0;        // see GenerateOptions
  ThinkPlan think = {};
};

} // namespace kern
