// Tokens in, logits out: a text in progress and the state that goes with it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "model/forward.h"
#include "model/model.h"
#include "model/state.h"

namespace kern {

struct SessionOptions {
  int context = 0;                 // positions
  int step_tokens = 512;           // prompt tokens a forward pass takes at most (-ub); changes no bit of a result
  Format key_format = Format::f16; // f16, q8_0, q4_0, or f32 for reference
  Format value_format = Format::f16;
  bool whole_steps = false; // a prefill that is watched takes steps no shorter than others: for benchmarks
};

/// The state of one sequence with these options.
StateOptions state_options(const SessionOptions& options);

/// Throws Error(model) saying what is wrong with the weights where a logit after `token` at `position` isn't finite.
void check_logits(const Model& model, std::span<const float> logits, std::int32_t token, std::size_t position);

/// Bytes a session takes, computed from the spec alone.
struct SessionMemory {
  std::uint64_t cache_bytes = 0;          // all pages
  std::uint64_t cache_bytes_per_page = 0; // 64 positions, all layers
  std::uint64_t scratch_bytes = 0;        // buffers and backend workspace

  SessionMemory& operator-=(const SessionMemory& part);
};
SessionMemory plan_session(const ModelSpec& spec, const Placement& placement, std::span<Backend* const> backends,
                           const SessionOptions& options);

/// The part of that which is taken on one backend.
SessionMemory plan_session_on(const ModelSpec& spec, const Placement& placement, std::span<Backend* const> backends,
                              int device, const SessionOptions& options);

/// One sequence. All memory is taken at construction. The model must outlive it.
class Session {
public:
  Session(const Model& model, const SessionOptions& options);

  /// Called between steps with the prompt tokens done and to do; false stops the prefill there.
  using Progress = std::function<bool(std::size_t done, std::size_t total)>;

  /// Appends prompt tokens and computes the logits after the last. Returns how many were taken: all, unless `progress`
  /// stopped it. Throws Error(context_full) before any work where they don't fit.
  std::size_t prefill(std::span<const std::int32_t> tokens, const Progress& progress = {});
  /// Appends one generated token and has the logits after it computed.
  void decode(std::int32_t token);
  /// Waits until they are.
  void finish() { forward_.finish(); }
  /// Forgets tokens from `position` on, and more where the state can't stop there: call prefill with what tokens() no
  /// longer holds. Returns the new length.
  int rollback(int position);

  /// [vocab_size], after the last token. Valid until the next call.
  std::span<const float> logits() const;
  /// What a sampler with this chain draws from them at a position, without bringing them to the host; nothing where
  /// their backend doesn't do that.
  std::optional<std::int32_t> sample(const SamplingChain& chain, std::uint64_t position);
  /// All tokens so far.
  const std::vector<std::int32_t>& tokens() const { return tokens_; }
  const Model& model() const { return model_; }
  int position() const { return static_cast<int>(tokens_.size()); }
  int context() const { return options_.context; }
  int room() const { return options_.context - position(); }
  Forward& forward() { return forward_; }

private:
  /// Tokens of the next step of a prefill that took `seconds` for `done` so far.
  std::size_t next_step(std::size_t done, double seconds, bool watched) const;
  void step(std::span<const std::int32_t> tokens, bool prompt, bool wants_logits);

  const Model& model_;
  SessionOptions options_;
  State state_;
  mutable Forward forward_;
  Batch batch_;
  std::vector<std::int32_t> tokens_;
  mutable std::vector<float> logits_; // on the host, once somebody asks for them
  mutable bool has_logits_ = true;
};

} // namespace kern
