// Watching activations as they pass.
#pragma once

#include "kernels/backend.h"

namespace kern {

/// Points of a layer where activations can be watched.
enum class TapPoint {
  mixer_input,  // normed, what q, k and v are computed from
  mixer_output, // attention's result before its output matrix
  ffn_input,    // normed, what gate and up are computed from
  ffn_hidden,   // activation(gate) * up, what down is computed from
  layer_output, // the residual stream after the layer
};

/// Watches activations, for importance matrices and draft heads. Rows lie in the backend's memory.
class Tap {
public:
  virtual ~Tap() = default;
  virtual void activation(TapPoint point, int layer, Backend& backend, Rows rows) = 0;
};

} // namespace kern
