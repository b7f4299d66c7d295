#include "model/weights.h"

#include <cmath>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "model/error.h"
#include "model/finite.h"

namespace kern {

namespace {

/// Receives every tensor a spec asks for: binding and planning are the same walk.
class Visitor {
public:
  virtual ~Visitor() = default;
  virtual WeightPtr take(int device, const TensorInfo& tensor, const WeightSource& source, WeightUse use) = 0;
};

class Binder final : public Visitor {
public:
  Binder(const Gguf& gguf, std::span<Backend* const> backends) : gguf_(gguf), backends_(backends) {}
  WeightPtr take(int device, const TensorInfo& tensor, const WeightSource& source, WeightUse use) override {
    // Vectors are small and looked through here; matrices only once a result isn't finite.
    if (use == WeightUse::vector)
      if (const auto found = find_non_finite(tensor))
        throw Error(ExitCode::model, fmt::format("{}: {}, expected finite numbers; the file is damaged, fetch or "
                                                 "convert it again",
                                                 gguf_.name(), *found));
    return backends_[static_cast<std::size_t>(device)]->bind(source, use);
  }

private:
  const Gguf& gguf_;
  std::span<Backend* const> backends_;
};

class Planner final : public Visitor {
public:
  explicit Planner(std::span<Backend* const> backends) : backends_(backends) {}
  WeightPtr take(int device, const TensorInfo&, const WeightSource& source, WeightUse use) override {
    const MemoryUse use_bytes = backends_[static_cast<std::size_t>(device)]->weight_memory(source, use);
    (use == WeightUse::table ? memory.table : memory.matrices) += use_bytes;
    if (use_bytes.device_bytes && on_device_.insert(source.bytes.data()).second)
      memory.device_bytes += use_bytes.device_bytes;
    return nullptr;
  }
  WeightMemory memory;

private:
  std::span<Backend* const> backends_;
  std::set<const std::byte*> on_device_;
};

class Walk {
public:
  Walk(const Gguf& gguf, const ModelSpec& spec, const Placement& placement, Visitor& visitor)
      : gguf_(gguf), spec_(spec), placement_(placement), visitor_(visitor) {}

  Weights run() {
    Weights weights;
    weights.embedding =
        matrix(placement_.embedding, "token_embd.weight", spec_.vocab_size, spec_.dim, WeightUse::table);
    for (std::size_t i = 0; i < spec_.layers.size(); ++i) {
      LayerWeights layer;
      const std::string prefix = fmt::format("blk.{}.", i);
      layer.mixer = attention(prefix, std::get<Attention>(spec_.layers[i].mixer), placement_.mixer[i]);
      layer.ffn = dense(prefix, std::get<DenseFfn>(spec_.layers[i].ffn), placement_.ffn[i]);
      weights.layers.push_back(std::move(layer));
    }
    weights.output_norm = vector(placement_.output, "output_norm.weight", spec_.dim);
    weights.output = matrix(placement_.output, spec_.tied_output ? "token_embd.weight" : "output.weight",
                            spec_.vocab_size, spec_.dim);
    for (const RopeSpec& rope : spec_.ropes)
      weights.rope_factors.push_back(rope.has_factors ? factors(rope) : std::vector<float>{});
    refuse_unused();
    return weights;
  }

private:
  AttentionWeights attention(const std::string& prefix, const Attention& spec, int device) {
    AttentionWeights weights;
    weights.norm = vector(device, prefix + "attn_norm.weight", spec_.dim);
    weights.q = matrix(device, prefix + "attn_q.weight", spec.query_size(), spec_.dim);
    weights.k = matrix(device, prefix + "attn_k.weight", spec.key_size(), spec_.dim);
    weights.v = matrix(device, prefix + "attn_v.weight", spec.value_size(), spec_.dim);
    if (spec.qkv_bias) {
      weights.q_bias = vector(device, prefix + "attn_q.bias", spec.query_size());
      weights.k_bias = vector(device, prefix + "attn_k.bias", spec.key_size());
      weights.v_bias = vector(device, prefix + "attn_v.bias", spec.value_size());
    }
    if (spec.qk_norm == QkNorm::per_head) {
      weights.q_norm = vector(device, prefix + "attn_q_norm.weight", spec.key_dim);
      weights.k_norm = vector(device, prefix + "attn_k_norm.weight", spec.key_dim);
    }
    weights.output = matrix(device, prefix + "attn_output.weight", spec_.dim, spec.output_size());
    if (spec.output_bias) weights.output_bias = vector(device, prefix + "attn_output.bias", spec_.dim);
    return weights;
  }

  DenseFfnWeights dense(const std::string& prefix, const DenseFfn& spec, int device) {
    DenseFfnWeights weights;
    weights.norm = vector(device, prefix + "ffn_norm.weight", spec_.dim);
    weights.gate = matrix(device, prefix + "ffn_gate.weight", spec.hidden_dim, spec_.dim);
    weights.up = matrix(device, prefix + "ffn_up.weight", spec.hidden_dim, spec_.dim);
    weights.down = matrix(device, prefix + "ffn_down.weight", spec_.dim, spec.hidden_dim);
    if (spec.gate_bias) weights.gate_bias = vector(device, prefix + "ffn_gate.bias", spec.hidden_dim);
    if (spec.up_bias) weights.up_bias = vector(device, prefix + "ffn_up.bias", spec.hidden_dim);
    if (spec.down_bias) weights.down_bias = vector(device, prefix + "ffn_down.bias", spec_.dim);
    return weights;
  }

  [[noreturn]] void fail(const std::string& name, const std::string& problem) const {
    throw Error(ExitCode::model, fmt::format("{}: tensor '{}': {}", gguf_.name(), name, problem));
  }

  const TensorInfo& find(const std::string& name, std::int64_t rows, std::int64_t columns) {
    const TensorInfo* tensor = gguf_.find(name);
    if (!tensor)
      fail(name, fmt::format("missing, expected one of shape [{}, {}]; the file is incomplete, convert the model again",
                             columns, rows));
    used_.insert(tensor->name);
    if (tensor->columns() != static_cast<std::uint64_t>(columns) || tensor->rows() != static_cast<std::uint64_t>(rows))
      fail(name, fmt::format("found shape [{}, {}], expected [{}, {}] from the file's metadata; the file is damaged",
                             tensor->columns(), tensor->rows(), columns, rows));
    return *tensor;
  }

  WeightPtr matrix(int device, const std::string& name, std::int64_t rows, std::int64_t columns,
                   WeightUse use = WeightUse::matrix) {
    const TensorInfo& tensor = find(name, rows, columns);
    return visitor_.take(device, tensor,
                         WeightSource{tensor.name, tensor.format, rows, columns, tensor.bytes, gguf_.mapped()}, use);
  }
  WeightPtr vector(int device, const std::string& name, std::int64_t size) {
    return matrix(device, name, 1, size, WeightUse::vector);
  }

  std::vector<float> factors(const RopeSpec& rope) {
    const std::string name = "rope_freqs.weight";
    const TensorInfo& tensor = find(name, 1, rope.dims / 2);
    std::vector<float> out(static_cast<std::size_t>(rope.dims / 2));
    if (tensor.format != Format::f32) fail(name, "found a type other than F32, expected F32; convert the model again");
    std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
    for (const float factor : out)
      if (!(factor > 0.0f) || std::isinf(factor))
        fail(name, fmt::format("found a factor {}, expected a finite one above 0; the file is damaged", factor));
    return out;
  }

  void refuse_unused() const {
    for (const TensorInfo& tensor : gguf_.tensors())
      if (!used_.contains(tensor.name))
        fail(
            tensor.name,
            fmt::format(
                "not part of a {} model as kern knows it, and leaving it out would change the answer; use a newer kern",
                spec_.architecture));
  }

  const Gguf& gguf_;
  const ModelSpec& spec_;
  const Placement& placement_;
  Visitor& visitor_;
  std::set<std::string_view> used_;
};

/// Tells every backend what is about to come; one that gets a part is told the whole.
void announce(const Gguf& gguf, std::span<Backend* const> backends) {
  std::vector<FormatBytes> weights;
  for (const TensorInfo& tensor : gguf.tensors()) weights.push_back({tensor.format, tensor.bytes.size()});
  for (Backend* backend : backends) backend->expect_weights(weights);
}

} // namespace

Weights bind_weights(const Gguf& gguf, const ModelSpec& spec, std::span<Backend* const> backends,
                     const Placement& placement) {
  announce(gguf, backends);
  Binder binder(gguf, backends);
  return Walk(gguf, spec, placement, binder).run();
}

WeightMemory plan_weights(const Gguf& gguf, const ModelSpec& spec, std::span<Backend* const> backends,
                          const Placement& placement) {
  announce(gguf, backends);
  Planner planner(backends);
  Walk(gguf, spec, placement, planner).run();
  // A tied table is read whole as the output matrix, and its pages are the same.
  if (spec.tied_output) planner.memory.table.mapped_bytes = 0;
  return planner.memory;
}

} // namespace kern
