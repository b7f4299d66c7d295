// The only token loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/logprobs.h"
#include "engine/sampler.h"
#include "engine/session.h"

namespace kern {

/// Why a generation ended. Every end has one.
enum class EndReason {
  end_of_generation, // the model ended its answer
  stop_string,
  length,  // the tokens asked for were given
  context, // cut: the context is full
  time,    // cut: the time limit
  interrupted,
  closed, // nobody reads the output any more
};

/// "end", "stop", "length", ... as reports say it.
std::string_view end_reason_name(EndReason reason);

struct GenerateOptions {
  int max_tokens = -1; // -1: until the model ends
  std::vector<std::string> stops;
  std::vector<std::int32_t> end_tokens;              // ascending
  std::optional<std::chrono::milliseconds> max_time; // from the call on, prefill included
  std::optional<int> top_logprobs;                   // describe every token, and so many of the likeliest beside it
  std::uint32_t draw = 0;                            // another one draws other random numbers at the same positions
};

/// How the loop talks to its caller; ids become text on the caller's side.
struct GenerateCallbacks {
  std::function<std::string(std::int32_t)> to_text; // whole characters the id completes
  std::function<std::string()> finish_text;         // what is left at the end
  std::function<bool(std::string_view)> emit;       // text certain to be part of the answer; false: nobody reads it
  std::function<bool()> interrupted;                // asked after every token
  Session::Progress progress;                       // of the prefill; may be empty
  /// Asked before every draw for ids that come next whatever the model says; may be empty. None of them ends the
  /// answer.
  std::function<std::vector<std::int32_t>()> forced;
};

struct GenerateResult {
  EndReason reason = EndReason::length;
  std::string stop;                 // the stop string found
  std::vector<std::int32_t> tokens; // generated, without the end-of-generation token
  std::vector<TokenChoice> choices; // of the tokens, where top_logprobs asks for them
  std::size_t prompt_tokens = 0;    // prefilled by this call
  double prefill_seconds = 0.0;
  double first_token_seconds = 0.0;  // from the call to the first token
  double decode_seconds = 0.0;       // from the first token to the last
  std::vector<double> token_seconds; // between tokens, one fewer than tokens drawn
};

/// Prefills `prompt`, then draws tokens until something ends it. Throws Error(model) where the logits aren't numbers.
GenerateResult generate(Session& session, Sampler& sampler, std::span<const std::int32_t> prompt,
                        const GenerateOptions& options, const GenerateCallbacks& callbacks);

} // namespace kern
