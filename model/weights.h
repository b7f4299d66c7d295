// A model's tensors, bound to backends: names become typed fields here, once, with type and shape checked.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "model/gguf.h"
#include "model/spec.h"

namespace kern {

using WeightPtr = std::unique_ptr<Weight>;

/// Shapes are [outputs, inputs]. Optional ones are null where the spec doesn't have them.
struct AttentionWeights {
  WeightPtr norm;                   // [dim]
  WeightPtr q, k, v;                // [query_size, dim], [key_size, dim], [value_size, dim]
  WeightPtr q_bias, k_bias, v_bias; // [query_size], [key_size], [value_size]
  WeightPtr q_norm, k_norm;         // [key_dim]
  WeightPtr output;                 // [dim, output_size]
  WeightPtr output_bias;            // [dim]
};

struct DenseFfnWeights {
  WeightPtr norm;     // [dim]
  WeightPtr gate, up; // [hidden_dim, dim]
  WeightPtr down;     // [dim, hidden_dim]
  WeightPtr gate_bias, up_bias, down_bias;
};

struct LayerWeights {
  std::variant<AttentionWeights> mixer;
  std::variant<DenseFfnWeights> ffn;
};

/// Which backend, by index, runs what.
struct Placement {
  std::vector<int> mixer; // [layers]
  std::vector<int> ffn;   // [layers]
  int embedding = 0;
  int output = 0;

  static Placement all_on(int device, std::size_t layers) {
    const std::vector<int> same(layers, device);
    return {same, same, device, device};
  }
};

struct Weights {
  WeightPtr embedding; // [vocab_size, dim]
  std::vector<LayerWeights> layers;
  WeightPtr output_norm;                        // [dim]
  WeightPtr output;                             // [vocab_size, dim]
  std::vector<std::vector<float>> rope_factors; // [ropes][dims/2], empty where a rope has none
};

/// Binds every tensor the spec asks for. Throws Error(model) naming the tensor that is missing, has another shape,
/// holds vectors or factors that aren't usable, or isn't part of such a model.
Weights bind_weights(const Gguf& gguf, const ModelSpec& spec, std::span<Backend* const> backends,
                     const Placement& placement);

/// Bytes the weights take once bound, without reading tensor data.
struct WeightMemory {
  MemoryUse matrices;                      // read for every token
  MemoryUse table;                         // looked up: only the rows of tokens that occur become resident
  std::uint64_t device_bytes = 0; // on the GPU, tensors with two roles once
};
WeightMemory plan_weights(const Gguf& gguf, const ModelSpec& spec, std::span<Backend* const> backends,
                          const Placement& placement);

} // namespace kern
