// The buffers a forward pass works in, on one backend.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/backend.h"
#include "model/spec.h"
#include "model/state.h"

namespace kern {

/// Tokens of one step. Every token's position must have been made room for with State::extend, and the tokens of a
/// sequence come in order of position.
struct Batch {
  std::vector<std::int32_t> tokens;     // [n]
  std::vector<std::int32_t> positions;  // [n]
  std::vector<std::int32_t> sequences;  // [n]
  std::vector<std::int32_t> logit_rows; // rows whose logits are wanted, ascending
  bool prompt = true;                   // whether the tokens were given or generated: a role, not a number

  void reserve(std::size_t count);
  void clear();
  void add(std::int32_t token, int position, int sequence, bool wants_logits);
};

struct ForwardLimits {
  int tokens = 512; // of one step
  int logits = 1;   // rows wanted at once
};

/// Bytes of scratch the forward pass takes on one backend.
std::uint64_t forward_scratch_bytes(const ModelSpec& spec, const StateOptions& state, int groups,
                                    const ForwardLimits& limits);
/// What the backends have to be ready for.
StepLimits step_limits(const ModelSpec& spec, const ForwardLimits& limits, int context);

/// Taken once; no step allocates.
struct Scratch {
  Scratch(Backend& backend, const ModelSpec& spec, const State& state, const ForwardLimits& limits);

  /// Puts a step's inputs where the operations find them.
  void load(const Batch& batch, const State& state);
  /// A buffer with this step's rows and a layer's columns.
  Rows rows(Rows whole, int columns) const { return {whole.data, step.tokens, columns}; }

  Backend& backend;
  StepInputs step;
  Rows x;                        // [n][dim] residual stream
  Rows normed, product;          // [n][dim]
  Rows q, k, v;                  // [n][query_size], [n][key_size], [n][value_size]
  Rows mixed;                    // [n][output_size]
  Rows gate, up;                 // [n][hidden_dim]
  std::vector<Rows> rope_tables; // [ropes] of [n][dims]
  Rows wanted, wanted_normed;    // [logits][dim]
  Rows logits;                   // [logits][vocab_size]

private:
  std::unique_ptr<Buffer> buffer_;
  std::int32_t* inputs_ = nullptr;
  std::vector<std::int32_t> host_inputs_; // a step's, before they are uploaded at once
};

} // namespace kern
