// A model ready to run: spec, bound weights, rotation tables, and the backends they live on.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "model/gguf.h"
#include "model/spec.h"
#include "model/weights.h"

namespace kern {

/// Immutable after construction. The file and the backends must outlive it.
class Model {
public:
  Model(const Gguf& gguf, std::vector<Backend*> backends, Placement placement);
  /// Everything on one backend.
  Model(const Gguf& gguf, Backend& backend);

  const ModelSpec& spec() const { return spec_; }
  const Weights& weights() const { return weights_; }
  const Placement& placement() const { return placement_; }
  std::span<Backend* const> backends() const { return backends_; }
  Backend& backend(int device) const { return *backends_[static_cast<std::size_t>(device)]; }
  /// What is wrong with the weights of a model whose results aren't finite numbers, as part of a message: reads them
  /// all.
  std::string explain_non_finite() const;
  const std::string& file_name() const { return gguf_->name(); }
  /// Rotation `index` of the spec with its frequencies in the memory of a backend.
  Rope rope(int index, int device) const {
    return ropes_[static_cast<std::size_t>(index)][static_cast<std::size_t>(device)];
  }

private:
  void bind();

  const Gguf* gguf_; // for messages
  ModelSpec spec_;
  std::vector<Backend*> backends_;
  Placement placement_;
  Weights weights_;
  std::vector<std::unique_ptr<Buffer>> frequencies_;
  std::vector<std::vector<Rope>> ropes_; // [ropes][backends]
};

} // namespace kern
