#include "model/forward.h"

#include <cassert>

namespace kern {

Forward::Forward(const Model& model, State& state, const ForwardLimits& limits)
    : model_(model), state_(state), limits_(limits) {
  for (Backend* backend : model.backends())
    scratch_.push_back(std::make_unique<Scratch>(*backend, model.spec(), state, limits));
  if (scratch_.size() > 1)
    staging_.resize(static_cast<std::size_t>(limits.tokens) * static_cast<std::size_t>(model.spec().dim));
}

LayerRun Forward::enter(int device, int layer) {
  Scratch& to = *scratch_[static_cast<std::size_t>(device)];
  if (device != current_) {
    Scratch& from = *scratch_[static_cast<std::size_t>(current_)];
    transfer(from.backend, from.x.first(from.step.tokens), to.backend, to.x.first(to.step.tokens), staging_);
    current_ = device;
  }
  return {model_, state_, to, device, layer, tap_};
}

void Forward::run(const Batch& batch) {
  assert(!batch.tokens.empty() && batch.tokens.size() <= static_cast<std::size_t>(limits_.tokens));
  assert(batch.logit_rows.size() <= static_cast<std::size_t>(limits_.logits));
  for (const auto& s : scratch_) {
    s->load(batch, state_);
    s->backend.begin_step(s->step);
  }
  if (!replay(batch)) enqueue(batch);
}

bool Forward::replay(const Batch& batch) {
  if (scratch_.size() > 1 || batch.prompt || batch.tokens.size() != 1 || batch.logit_rows.size() != 1 || tap_)
    return false;
  Backend& backend = scratch_[0]->backend;
  if (recorded_ && backend.replay(*recorded_)) return true;
  recorded_ = backend.record([&] { enqueue(batch); });
  return recorded_ && backend.replay(*recorded_);
}

void Forward::enqueue(const Batch& batch) {
  const ModelSpec& spec = model_.spec();
  for (std::size_t device = 0; device < scratch_.size(); ++device) {
    Scratch& s = *scratch_[device];
    for (std::size_t i = 0; i < spec.ropes.size(); ++i)
      s.backend.rope_table(model_.rope(static_cast<int>(i), static_cast<int>(device)), s.step,
                           s.rope_tables[i].first(s.step.tokens));
  }
  const Placement& placement = model_.placement();
  current_ = placement.embedding;
  Scratch& first = *scratch_[static_cast<std::size_t>(current_)];
  first.backend.embed(*model_.weights().embedding, first.step, 1.0f, first.x.first(first.step.tokens));

  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerWeights& weights = model_.weights().layers[i];
    const int layer = static_cast<int>(i);
    run_mixer(enter(placement.mixer[i], layer), std::get<Attention>(spec.layers[i].mixer),
              std::get<AttentionWeights>(weights.mixer));
    run_feed_forward(enter(placement.ffn[i], layer), std::get<DenseFfn>(spec.layers[i].ffn),
                     std::get<DenseFfnWeights>(weights.ffn));
  }
  if (batch.logit_rows.empty()) return;

  Scratch& s = enter(placement.output, -1).scratch;
  const Rows wanted = s.wanted.first(s.step.logits);
  s.backend.gather(s.step, s.x.first(s.step.tokens), wanted);
  const Product product{model_.weights().output.get(), nullptr, s.logits.first(s.step.logits)};
  s.backend.norm_products(wanted, *model_.weights().output_norm, spec.norm_epsilon,
                          s.wanted_normed.first(s.step.logits), {&product, 1});
}

void Forward::read_logits(int index, std::span<float> out) {
  Scratch& s = *scratch_[static_cast<std::size_t>(model_.placement().output)];
  s.backend.read(s.logits.data + static_cast<std::ptrdiff_t>(index) * s.logits.columns, out.data(),
                 out.size() * sizeof(float));
}

void Forward::finish() {
  for (const auto& s : scratch_) s->backend.finish();
}

std::optional<std::int32_t> Forward::sample(int index, const SamplingChain& chain, std::uint64_t position) {
  Scratch& s = *scratch_[static_cast<std::size_t>(model_.placement().output)];
  return s.backend.sample(chain, s.logits.data + static_cast<std::ptrdiff_t>(index) * s.logits.columns,
                          s.logits.columns, position);
}

} // namespace kern
