#include "model/step_work.h"

#include <numeric>

namespace kern {

Work step_work(const Model& model, CacheFormats cache, int position, int tokens, int logits) {
  std::vector<std::int32_t> positions(static_cast<std::size_t>(tokens));
  std::iota(positions.begin(), positions.end(), position);
  const std::vector<std::int32_t> sequences(positions.size(), 0);
  const Weights& weights = model.weights();
  Work work = lookup_work(*weights.embedding, tokens);
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const auto& spec = std::get<Attention>(model.spec().layers[i].mixer);
    const auto& attention = std::get<AttentionWeights>(weights.layers[i].mixer);
    const auto& ffn = std::get<DenseFfnWeights>(weights.layers[i].ffn);
    for (const WeightPtr* matrix :
         {&attention.q, &attention.k, &attention.v, &attention.output, &ffn.gate, &ffn.up, &ffn.down})
      work += product_work(**matrix, tokens);
    const AttentionShape shape{spec.heads, spec.kv_heads, spec.key_dim, spec.value_dim, spec.window, spec.scale};
    KvView view;
    view.key_format = cache.key;
    view.value_format = cache.value;
    work += attention_work(shape, view, positions, sequences);
  }
  if (logits) work += product_work(*weights.output, logits);
  return work;
}

} // namespace kern
