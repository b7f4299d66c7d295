#include "model/architectures/transformer.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace kern {

namespace {

constexpr std::uint64_t max_layers = 1024;
constexpr std::uint64_t max_size = 1u << 24; // of any dimension
constexpr std::uint64_t max_heads = 1u << 14;

// Keys below "ARCHITECTURE." that are read here, or that say nothing about the mathematics.
constexpr std::string_view known_keys[] = {
    "attention.causal",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.scale",
    "attention.sliding_window",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_ext_factor",
    "tensor_data_layout",
    "vocab_size",
};
// Keys that may stand in a file as long as they say "nothing of the kind".
constexpr std::string_view neutral_at_zero[] = {
    "attention.clamp_kqv",
    "attention.max_alibi_bias",
    "attn_logit_softcapping",
    "expert_count",
    "expert_shared_count",
    "expert_used_count",
    "final_logit_softcapping",
    "pooling_type",
    "rope.scaling.yarn_log_multiplier",
};
constexpr std::string_view neutral_at_one[] = {"embedding_scale", "logit_scale", "residual_scale"};

class Reader {
public:
  explicit Reader(const Gguf& gguf)
      : gguf_(gguf), metadata_(gguf.metadata()), prefix_(metadata_.get_string("general.architecture")) {
    prefix_ += '.';
  }

  std::string key(std::string_view name) const { return prefix_ + std::string(name); }
  int size(std::string_view name, std::uint64_t max) const {
    return positive(name, metadata_.get_uint(key(name), max));
  }
  int size_or(std::string_view name, int fallback, std::uint64_t max) const {
    return metadata_.has(key(name)) ? size(name, max) : fallback;
  }
  double number_or(std::string_view name, double fallback) const {
    const double value = metadata_.get_float_or(key(name), fallback);
    if (!std::isfinite(value)) metadata_.fail(key(name), "found a number that isn't finite; the file is damaged");
    return value;
  }

  /// A count that stands once for all layers or as an array with one entry a layer.
  std::vector<int> per_layer(std::string_view name, int layers, std::optional<int> fallback, std::uint64_t max) const {
    const MetadataValue* value = metadata_.find(key(name));
    if (!value && fallback) return std::vector<int>(static_cast<std::size_t>(layers), *fallback);
    if (!value || value->type != MetadataType::array)
      return std::vector<int>(static_cast<std::size_t>(layers), size(name, max));
    const std::vector<std::int64_t> entries = metadata_.get_ints(key(name));
    if (entries.size() != static_cast<std::size_t>(layers))
      metadata_.fail(key(name), fmt::format("found {} entries, expected {}, one a layer", entries.size(), layers));
    std::vector<int> out;
    for (const std::int64_t entry : entries) {
      if (entry < 1 || static_cast<std::uint64_t>(entry) > max)
        metadata_.fail(key(name), fmt::format("found an entry {}, expected 1..{}", entry, max));
      out.push_back(static_cast<int>(entry));
    }
    return out;
  }

  void refuse_unknown_keys() const {
    for (const auto& [name, value] : metadata_.values()) {
      if (!name.starts_with(prefix_)) continue;
      const std::string_view rest = std::string_view(name).substr(prefix_.size());
      if (std::ranges::find(known_keys, rest) != std::end(known_keys)) continue;
      const bool zero = std::ranges::find(neutral_at_zero, rest) != std::end(neutral_at_zero);
      const bool one = std::ranges::find(neutral_at_one, rest) != std::end(neutral_at_one);
      if (value.type != MetadataType::array && value.type != MetadataType::string &&
          value.type != MetadataType::boolean) {
        const double number = metadata_.get_float(name);
        if ((zero && number == 0.0) || (one && number == 1.0)) continue;
      }
      metadata_.fail(
          name,
          fmt::format("found {}; kern doesn't know what it changes in the model and won't guess; use a newer kern",
                      describe(value)));
    }
  }

  const Gguf& gguf() const { return gguf_; }
  const Metadata& metadata() const { return metadata_; }
  bool has_tensor(const std::string& name) const { return gguf_.find(name) != nullptr; }

private:
  int positive(std::string_view name, std::uint64_t value) const {
    if (value == 0) metadata_.fail(key(name), "found 0, expected at least 1; the file is damaged");
    return static_cast<int>(value);
  }

  const Gguf& gguf_;
  const Metadata& metadata_;
  std::string prefix_;
};

void read_scaling(const Reader& reader, RopeSpec& rope, int context_length) {
  const std::string key = reader.key("rope.scaling.type");
  const double linear = reader.number_or("rope.scale_linear", 1.0); // older files
  const std::string_view type = reader.metadata().get_string_or(key, linear != 1.0 ? "linear" : "none");
  rope.factor = reader.number_or("rope.scaling.factor", linear);
  if (rope.factor == 0.0) rope.factor = 1.0; // as converters write "none"
  if (rope.factor < 0.0)
    reader.metadata().fail(reader.key("rope.scaling.factor"), fmt::format("found {}, expected above 0", rope.factor));
  if (type == "linear") rope.scaling = RopeScaling::linear;
  else if (type == "yarn") rope.scaling = RopeScaling::yarn;
  else if (type != "none")
    reader.metadata().fail(key,
                           fmt::format("found '{}', expected none, linear or yarn; kern can't run this model", type));
  if (rope.scaling != RopeScaling::yarn) return;
  rope.original_context = reader.size_or("rope.scaling.original_context_length", context_length, max_size * 16);
  rope.attention_factor = reader.number_or("rope.scaling.attn_factor", 1.0);
  const double extrapolation = reader.number_or("rope.scaling.yarn_ext_factor", -1.0);
  rope.extrapolation = extrapolation < 0.0 ? 1.0 : extrapolation; // negative: not set
  rope.beta_fast = reader.number_or("rope.scaling.yarn_beta_fast", 32.0);
  rope.beta_slow = reader.number_or("rope.scaling.yarn_beta_slow", 1.0);
  if (rope.beta_fast <= 0.0 || rope.beta_slow <= 0.0)
    reader.metadata().fail(reader.key("rope.scaling.yarn_beta_fast"),
                           "found yarn betas of 0 or less, expected above 0");
}

RopeSpec read_rope(const Reader& reader, const TransformerTraits& traits, int key_dim, int context_length) {
  RopeSpec rope;
  rope.pairs = traits.rope_pairs;
  rope.dims = reader.size_or("rope.dimension_count", key_dim, max_size);
  if (rope.dims > key_dim || rope.dims % 2 != 0)
    reader.metadata().fail(
        reader.key("rope.dimension_count"),
        fmt::format("found {}, expected an even number of at most the head's {} dimensions", rope.dims, key_dim));
  rope.base = reader.number_or("rope.freq_base", 10000.0);
  if (rope.base <= 1.0)
    reader.metadata().fail(reader.key("rope.freq_base"), fmt::format("found {}, expected above 1", rope.base));
  rope.has_factors = reader.has_tensor("rope_freqs.weight");
  read_scaling(reader, rope, context_length);
  return rope;
}

Attention read_attention(const Reader& reader, const TransformerTraits& traits, int layer, int heads, int kv_heads,
                         int dim) {
  Attention attention;
  attention.heads = heads;
  attention.kv_heads = kv_heads;
  if (heads % kv_heads != 0)
    reader.metadata().fail(
        reader.key("attention.head_count_kv"),
        fmt::format("found {} in layer {}, expected a divisor of the {} heads", kv_heads, layer, heads));
  attention.key_dim = reader.size_or("attention.key_length", std::max(dim / heads, 1), max_size);
  attention.value_dim = reader.size_or("attention.value_length", std::max(dim / heads, 1), max_size);
  attention.window =
      static_cast<int>(reader.metadata().get_uint_or(reader.key("attention.sliding_window"), 0, INT32_MAX));
  attention.scale = static_cast<float>(reader.number_or("attention.scale", 0.0));
  if (attention.scale == 0.0f)
    attention.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(attention.key_dim)));
  attention.qk_norm = traits.qk_norm;
  attention.rope = 0;
  attention.qkv_bias = reader.has_tensor(fmt::format("blk.{}.attn_q.bias", layer));
  attention.output_bias = reader.has_tensor(fmt::format("blk.{}.attn_output.bias", layer));
  return attention;
}

int read_vocab_size(const Gguf& gguf) {
  const TensorInfo* table = gguf.find("token_embd.weight");
  if (!table)
    gguf.metadata().fail("token_embd.weight", "this tensor is missing; the file holds no model (a vocabulary only?)");
  if (table->rows() > max_size)
    gguf.metadata().fail("token_embd.weight",
                         fmt::format("found {} rows, expected at most {}", table->rows(), max_size));
  return static_cast<int>(table->rows());
}

} // namespace

ModelSpec read_transformer(const Gguf& gguf, const TransformerTraits& traits) {
  const Reader reader(gguf);
  reader.refuse_unknown_keys();
  if (!reader.metadata().get_bool_or(reader.key("attention.causal"), true))
    reader.metadata().fail(reader.key("attention.causal"),
                           "found false; kern runs models that generate text, not encoders");
  ModelSpec spec;
  spec.architecture = gguf.metadata().get_string("general.architecture");
  spec.name = gguf.metadata().get_string_or("general.name", "");
  spec.vocab_size = read_vocab_size(gguf);
  spec.dim = reader.size("embedding_length", max_size);
  spec.context_length = reader.size("context_length", INT32_MAX / 2);
  spec.norm_epsilon = static_cast<float>(reader.metadata().get_float(reader.key("attention.layer_norm_rms_epsilon")));
  if (!(spec.norm_epsilon >= 0.0f && spec.norm_epsilon < 1.0f))
    reader.metadata().fail(reader.key("attention.layer_norm_rms_epsilon"),
                           fmt::format("found {}, expected 0 or more and below 1", spec.norm_epsilon));
  spec.tied_output = !reader.has_tensor("output.weight");

  const int layers = reader.size("block_count", max_layers);
  const auto heads = reader.per_layer("attention.head_count", layers, std::nullopt, max_heads);
  const auto hidden = reader.per_layer("feed_forward_length", layers, std::nullopt, max_size);
  for (int i = 0; i < layers; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const int kv_heads = reader.per_layer("attention.head_count_kv", layers, heads[index], max_heads)[index];
    LayerSpec layer;
    layer.mixer = read_attention(reader, traits, i, heads[index], kv_heads, spec.dim);
    DenseFfn ffn;
    ffn.hidden_dim = hidden[index];
    ffn.gate_bias = reader.has_tensor(fmt::format("blk.{}.ffn_gate.bias", i));
    ffn.up_bias = reader.has_tensor(fmt::format("blk.{}.ffn_up.bias", i));
    ffn.down_bias = reader.has_tensor(fmt::format("blk.{}.ffn_down.bias", i));
    layer.ffn = ffn;
    spec.layers.push_back(layer);
  }
  // Keys give one head size and one rotation for all layers.
  spec.ropes.push_back(
      read_rope(reader, traits, std::get<Attention>(spec.layers[0].mixer).key_dim, spec.context_length));
  return spec;
}

} // namespace kern
