// Grouped-query attention: norm, q k v, head norms, rotation, cache, scores, output matrix, residual.
#include "model/layers/layers.h"

namespace kern {

void run_mixer(const LayerRun& run, const Attention& spec, const AttentionWeights& weights) {
  Scratch& s = run.scratch;
  const Rows x = s.rows(s.x, run.model.spec().dim);
  const Rows q = s.rows(s.q, spec.query_size());
  const Rows k = s.rows(s.k, spec.key_size());
  const Rows v = s.rows(s.v, spec.value_size());
  const Rows mixed = s.rows(s.mixed, spec.output_size());
  const Rows normed = s.rows(s.normed, x.columns);
  const float epsilon = run.model.spec().norm_epsilon;
  const KvLayer& cache = run.state.layer(run.layer);

  const Product products[] = {{weights.q.get(), weights.q_bias.get(), q},
                              {weights.k.get(), weights.k_bias.get(), k},
                              {weights.v.get(), weights.v_bias.get(), v}};
  s.backend.norm_products(x, *weights.norm, epsilon, normed, products);
  run.watch(TapPoint::mixer_input, normed);

  const HeadNorm head_norm{weights.q_norm.get(), weights.k_norm.get(), epsilon};
  const Rope rope = spec.rope ? run.model.rope(*spec.rope, run.device) : Rope{};
  const Rows table = spec.rope ? s.rope_tables[static_cast<std::size_t>(*spec.rope)].first(s.step.tokens) : Rows{};
  s.backend.norm_rotate_store(head_norm, spec.rope ? &rope : nullptr, table, cache, s.step, q, k, v);

  const AttentionShape shape{spec.heads, spec.kv_heads, spec.key_dim, spec.value_dim, spec.window, spec.scale};
  s.backend.attention(shape, cache, s.step, q, mixed);
  run.watch(TapPoint::mixer_output, mixed);
  s.backend.matmul_add(*weights.output, weights.output_bias.get(), mixed, s.rows(s.product, x.columns), x);
}

} // namespace kern
