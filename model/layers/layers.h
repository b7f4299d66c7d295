// What a layer does, one function a kind. Each adds its result to the residual stream x [n][dim].
#pragma once

#include "model/model.h"
#include "model/scratch.h"
#include "model/state.h"
#include "model/tap.h"

namespace kern {

/// Where a layer runs, and on what.
struct LayerRun {
  const Model& model;
  const State& state;
  Scratch& scratch; // of the backend it runs on; holds x and the step
  int device;
  int layer;
  Tap* tap; // or null

  void watch(TapPoint point, Rows rows) const {
    if (tap) tap->activation(point, layer, scratch.backend, rows);
  }
};

void run_mixer(const LayerRun& run, const Attention& spec, const AttentionWeights& weights);
void run_feed_forward(const LayerRun& run, const DenseFfn& spec, const DenseFfnWeights& weights);

} // namespace kern
