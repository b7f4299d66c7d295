#include "engine/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "model/error.h"

namespace kern {

namespace {

ForwardLimits forward_limits(const SessionOptions& options) {
  return {std::min(options.step_tokens, options.context), 1};
}

} // namespace

StateOptions state_options(const SessionOptions& options) {
  StateOptions state;
  state.context = options.context;
  state.step_tokens = std::min(options.step_tokens, options.context);
  state.key_format = options.key_format;
  state.value_format = options.value_format;
  return state;
}

void check_logits(const Model& model, std::span<const float> logits, std::int32_t token, std::size_t position) {
  const auto wrong = std::ranges::find_if(logits, [](float logit) { return !std::isfinite(logit); });
  if (wrong == logits.end()) return;
  throw Error(
      ExitCode::model,
      fmt::format("{}: after token {} at position {}, the logit of token {} is {}, expected a finite number: {}",
                  model.file_name(), token, position, wrong - logits.begin(), *wrong, model.explain_non_finite()));
}

SessionMemory& SessionMemory::operator-=(const SessionMemory& part) {
  cache_bytes -= part.cache_bytes;
  cache_bytes_per_page -= part.cache_bytes_per_page;
  scratch_bytes -= part.scratch_bytes;
  return *this;
}

SessionMemory plan_session_on(const ModelSpec& spec, const Placement& placement, std::span<Backend* const> backends,
                              int device, const SessionOptions& options) {
  const std::vector<PageGroup> groups = plan_pages(spec, placement, state_options(options));
  SessionMemory memory;
  for (const PageGroup& group : groups) {
    if (group.device != device) continue;
    memory.cache_bytes += static_cast<std::uint64_t>(group.pages) * group.layout.bytes();
    memory.cache_bytes_per_page += group.layout.bytes();
  }
  const ForwardLimits limits = forward_limits(options);
  memory.scratch_bytes =
      forward_scratch_bytes(spec, state_options(options), static_cast<int>(groups.size()), limits) +
      backends[static_cast<std::size_t>(device)]->workspace_bytes(step_limits(spec, limits, options.context));
  return memory;
}

SessionMemory plan_session(const ModelSpec& spec, const Placement& placement, std::span<Backend* const> backends,
                           const SessionOptions& options) {
  SessionMemory memory;
  for (std::size_t device = 0; device < backends.size(); ++device) {
    const SessionMemory part = plan_session_on(spec, placement, backends, static_cast<int>(device), options);
    memory.cache_bytes += part.cache_bytes;
    memory.cache_bytes_per_page += part.cache_bytes_per_page;
    memory.scratch_bytes += part.scratch_bytes;
  }
  memory.scratch_bytes += static_cast<std::uint64_t>(spec.vocab_size) * sizeof(float); // the host's copy of the logits
  return memory;
}

Session::Session(const Model& model, const SessionOptions& options)
    : model_(model), options_(options), state_(model, state_options(options)),
      forward_(model, state_, forward_limits(options)), logits_(static_cast<std::size_t>(model.spec().vocab_size)) {
  tokens_.reserve(static_cast<std::size_t>(options.context));
  batch_.reserve(static_cast<std::size_t>(options.step_tokens));
}

void Session::step(std::span<const std::int32_t> tokens, bool prompt, bool wants_logits) {
  state_.extend(0, static_cast<int>(tokens.size()));
  batch_.clear();
  batch_.prompt = prompt;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    batch_.add(tokens[i], position(), 0, wants_logits && i + 1 == tokens.size());
    tokens_.push_back(tokens[i]);
  }
  forward_.run(batch_);
  has_logits_ = !wants_logits;
}

std::span<const float> Session::logits() const {
  if (!has_logits_) forward_.read_logits(0, logits_);
  has_logits_ = true;
  return logits_;
}

std::optional<std::int32_t> Session::sample(const SamplingChain& chain, std::uint64_t position) {
  if (has_logits_) return std::nullopt; // they are here
  return forward_.sample(0, chain, position);
}

std::size_t Session::prefill(std::span<const std::int32_t> tokens, const Progress& progress) {
  if (tokens.size() > static_cast<std::size_t>(room()))
    throw Error(ExitCode::context_full,
                fmt::format("the prompt has {} tokens, but the context has room for {}; shorten it or raise -c",
                            tokens.size(), room()));
  std::size_t done = 0;
  double seconds = 0.0;
  while (done < tokens.size()) {
    const std::size_t count = std::min(next_step(done, seconds, static_cast<bool>(progress)), tokens.size() - done);
    const auto begin = std::chrono::steady_clock::now();
    step(tokens.subspan(done, count), true, done + count == tokens.size());
    finish();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    done += count;
    if (progress && !progress(done, tokens.size())) break;
  }
  return done;
}

std::size_t Session::next_step(std::size_t done, double seconds, bool watched) const {
  const auto most = static_cast<std::size_t>(std::min(options_.step_tokens, options_.context));
  if (!watched || options_.whole_steps) return most;
  // Somebody wants to see it move and be able to stop it: steps of about half a second. Results don't change.
  const double wanted = seconds > 0.0 ? 0.5 * static_cast<double>(done) / seconds : 0.0;
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::min(wanted, 1e6)), std::min<std::size_t>(64, most),
                                 most);
}

void Session::decode(std::int32_t token) { step({&token, 1}, false, true); }

int Session::rollback(int position) {
  const int length = state_.rollback(0, position);
  tokens_.resize(static_cast<std::size_t>(length));
  return length;
}

} // namespace kern
