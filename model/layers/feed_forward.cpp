// Gated feed-forward: norm, down(activation(gate) * up), residual.
#include "model/layers/layers.h"

namespace kern {

void run_feed_forward(const LayerRun& run, const DenseFfn& spec, const DenseFfnWeights& weights) {
  Scratch& s = run.scratch;
  const Rows x = s.rows(s.x, run.model.spec().dim);
  const Rows gate = s.rows(s.gate, spec.hidden_dim);
  const Rows up = s.rows(s.up, spec.hidden_dim);
  const Rows normed = s.rows(s.normed, x.columns);
  s.backend.norm_gate_up(x, *weights.norm, run.model.spec().norm_epsilon, spec.activation, normed,
                         {weights.gate.get(), weights.gate_bias.get(), gate},
                         {weights.up.get(), weights.up_bias.get(), up});
  run.watch(TapPoint::ffn_input, normed);
  run.watch(TapPoint::ffn_hidden, gate);
  s.backend.matmul_add(*weights.down, weights.down_bias.get(), gate, s.rows(s.product, x.columns), x);
  run.watch(TapPoint::layer_output, x);
}

} // namespace kern
