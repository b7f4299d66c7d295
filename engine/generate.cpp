#include "engine/generate.h"

#include <algorithm>

#include "engine/stop.h"

namespace kern {

std::string_view end_reason_name(EndReason reason) {
  switch (reason) {
  case EndReason::end_of_generation: return "end";
  case EndReason::stop_string: return "stop";
  case EndReason::length: return "length";
  case EndReason::context: return "context";
  case EndReason::time: return "time";
  case EndReason::interrupted: return "interrupted";
  case EndReason::closed: return "closed";
  }
  return "unknown";
}

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void check_logits(const Session& session) {
  kern::check_logits(session.model(), session.logits(), session.tokens().back(),
                     static_cast<std::size_t>(session.position() - 1));
}

/// On the session's backend where that draws by `chain`, with the same result.
std::int32_t draw(Session& session, Sampler& sampler, const std::optional<SamplingChain>& chain,
                  std::uint64_t position) {
  if (chain)
    if (const auto token = session.sample(*chain, position)) return *token;
  check_logits(session);
  return sampler.sample(session.logits(), session.tokens(), position);
}

/// What ends the loop before another token is drawn.
std::optional<EndReason> reason_to_end(const GenerateOptions& options, const GenerateCallbacks& callbacks,
                                       std::size_t drawn, Clock::time_point begin) {
  if (callbacks.interrupted()) return EndReason::interrupted;
  if (options.max_time && Clock::now() - begin >= *options.max_time) return EndReason::time;
  if (options.max_tokens >= 0 && drawn >= static_cast<std::size_t>(options.max_tokens)) return EndReason::length;
  return std::nullopt;
}

/// When tokens came.
class TokenClock {
public:
  TokenClock(Clock::time_point begin, GenerateResult& result) : begin_(begin), result_(result) {}

  void tick() {
    const Clock::time_point now = Clock::now();
    if (started_) {
      result_.token_seconds.push_back(std::chrono::duration<double>(now - last_).count());
      result_.decode_seconds = std::chrono::duration<double>(now - first_).count();
    } else {
      started_ = true;
      first_ = now;
      result_.first_token_seconds = std::chrono::duration<double>(now - begin_).count();
    }
    last_ = now;
  }

private:
  Clock::time_point begin_;
  GenerateResult& result_;
  bool started_ = false;
  Clock::time_point first_{};
  Clock::time_point last_{};
};

} // namespace

GenerateResult generate(Session& session, Sampler& sampler, std::span<const std::int32_t> prompt,
                        const GenerateOptions& options, const GenerateCallbacks& callbacks) {
  const Clock::time_point begin = Clock::now();
  GenerateResult result;
  result.tokens.reserve(static_cast<std::size_t>(session.room()));
  result.token_seconds.reserve(static_cast<std::size_t>(session.room()));
  StopMatcher stops(options.stops);

  const auto progress = [&](std::size_t done, std::size_t total) {
    if (callbacks.progress && !callbacks.progress(done, total)) return false;
    if (options.max_time && Clock::now() - begin >= *options.max_time) return false;
    return !callbacks.interrupted();
  };
  result.prompt_tokens = session.prefill(prompt, progress);
  result.prefill_seconds = seconds_since(begin);
  if (result.prompt_tokens < prompt.size()) {
    result.reason = callbacks.interrupted() ? EndReason::interrupted : EndReason::time;
    return result;
  }

  // Logprobs are of all candidates, which only the host has. Found once: the loop allocates nothing.
  const std::optional<SamplingChain> chain = options.top_logprobs ? std::nullopt : sampler.chain();
  TokenClock clock(begin, result);
  std::vector<std::int32_t> forced; // next one last
  for (;;) {
    if (const auto reason = reason_to_end(options, callbacks, result.tokens.size(), begin)) {
      result.reason = *reason;
      break;
    }
    if (forced.empty() && callbacks.forced) {
      forced = callbacks.forced();
      std::ranges::reverse(forced);
    }
    const bool is_forced = !forced.empty();
    const std::uint64_t position = static_cast<std::uint64_t>(options.draw) << 32 | session.tokens().size();
    if (is_forced) check_logits(session);
    const std::int32_t token = is_forced ? forced.back() : draw(session, sampler, chain, position);
    if (is_forced) forced.pop_back();
    clock.tick();
    if (!is_forced && std::ranges::binary_search(options.end_tokens, token)) {
      result.reason = EndReason::end_of_generation;
      break;
    }
    // The end of an answer needs no position; any other token does.
    if (session.room() == 0) {
      result.reason = EndReason::context;
      break;
    }
    result.tokens.push_back(token);
    if (options.top_logprobs)
      result.choices.push_back(
          describe_choice(session.logits(), token, static_cast<std::size_t>(*options.top_logprobs)));
    if (!callbacks.emit(stops.push(callbacks.to_text(token)))) {
      result.reason = EndReason::closed;
      break;
    }
    if (!stops.found().empty()) {
      result.reason = EndReason::stop_string;
      result.stop = stops.found();
      break;
    }
    // The last token asked for needs no successor.
    if (options.max_tokens >= 0 && result.tokens.size() >= static_cast<std::size_t>(options.max_tokens)) {
      result.reason = EndReason::length;
      break;
    }
    session.decode(token);
  }
  if (result.reason != EndReason::closed) {
    std::string rest = stops.push(callbacks.finish_text());
    rest += stops.finish();
    callbacks.emit(rest);
  }
  return result;
}

} // namespace kern
