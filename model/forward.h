// The forward pass: embed, layers, logits. One function for prefill and decode; the batch is the only difference.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "model/layers/layers.h"
#include "model/model.h"
#include "model/scratch.h"
#include "model/state.h"
#include "model/tap.h"

namespace kern {

/// Holds the scratch of a session; nothing is allocated after construction.
class Forward {
public:
  Forward(const Model& model, State& state, const ForwardLimits& limits);

  /// Enqueues one step.
  void run(const Batch& batch);
  /// Logits of the batch's wanted row `index`, copied to out [vocab_size]; waits for the step.
  void read_logits(int index, std::span<float> out);
  /// Waits for every step.
  void finish();
  /// Draws a token from them where they are; nothing where their backend doesn't (Backend::sample).
  std::optional<std::int32_t> sample(int index, const SamplingChain& chain, std::uint64_t position);
  /// Null: none. Watching changes no result.
  void set_tap(Tap* tap) { tap_ = tap; }

private:
  /// Enqueues the operations of a step whose inputs are in place.
  void enqueue(const Batch& batch);
  /// One generated token on one backend: recorded once, then replayed. False where that can't be.
  bool replay(const Batch& batch);
  /// Brings the residual stream to a device and says what a layer needs there.
  LayerRun enter(int device, int layer);

  const Model& model_;
  State& state_;
  ForwardLimits limits_;
  std::vector<std::unique_ptr<Scratch>> scratch_; // [backends]
  std::vector<float> staging_;                    // between backends
  int current_ = 0;                               // where the residual stream is
  Tap* tap_ = nullptr;
  std::unique_ptr<RecordedStep> recorded_; // of one generated token
};

} // namespace kern
