#include "convert/architecture.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "model/error.h"

namespace kern {

namespace {

const std::vector<Family> families = {
    {"llama", "llama", true, false, true, 2048, 0, 0, true, {"LlamaForCausalLM", "LLaMAForCausalLM", "LlamaModel"}},
    {"llama", "mistral", true, false, true, 131072, 8, 0, true, {"MistralForCausalLM"}},
    {"qwen2", "qwen2", false, false, false, 32768, 32, 0, false, {"Qwen2ForCausalLM", "Qwen2Model"}},
    {"qwen3", "qwen3", false, true, false, 32768, 32, 128, true, {"Qwen3ForCausalLM", "Qwen3Model"}},
};

constexpr std::uint64_t max_layers_read = 1024;
constexpr std::uint64_t max_size_read = 1u << 24;

/// Keys of config.json that ask for other mathematics unless they have this value.
struct NeutralValue {
  std::string_view key;
  double value;
};
constexpr NeutralValue neutral_values[] = {
    {"partial_rotary_factor", 1.0},   {"rope_pct", 1.0},
    {"num_local_experts", 0.0},       {"num_experts", 0.0},
    {"embedding_multiplier", 1.0},    {"attention_multiplier", 0.0},
    {"residual_multiplier", 1.0},     {"logits_scaling", 1.0},
    {"final_logit_softcapping", 0.0}, {"attn_logit_softcapping", 0.0},
};

const Family& find_family(const JsonObject& config, std::string& class_name) {
  const nlohmann::json* classes = config.find("architectures");
  if (!classes || !classes->is_array() || classes->empty() || !(*classes)[0].is_string())
    config.fail("architectures", fmt::format("found no class, expected one of {}", class_names()));
  class_name = (*classes)[0].get<std::string>();
  for (const Family& family : families)
    if (std::ranges::find(family.classes, class_name) != family.classes.end()) return family;
  config.fail("architectures",
              fmt::format("found '{}', expected one of {}; kern can't run this model", class_name, class_names()));
}

void refuse_other_mathematics(const JsonObject& config) {
  const std::string activation = config.text("hidden_act").value_or("silu");
  if (activation != "silu" && activation != "swish")
    config.fail("hidden_act", fmt::format("found '{}', expected 'silu'; kern can't run this model", activation));
  for (const auto& [key, value] : neutral_values)
    if (const auto found = config.number(key); found && *found != value)
      config.fail(key, fmt::format("found {}, expected {}; kern can't run this model", *found, value));
  if (!config.flag("is_causal").value_or(true))
    config.fail("is_causal", "found false; kern converts models that generate text, not encoders");
}

std::uint64_t read_size(const JsonObject& config, std::string_view key, std::uint64_t max) {
  const std::uint64_t size = config.require_uint(key, max);
  if (size == 0) config.fail(key, "found 0, expected at least 1; the file is damaged");
  return size;
}

void read_sizes(const JsonObject& config, ModelConfig& model) {
  const Family& family = *model.family;
  model.layers = read_size(config, "num_hidden_layers", max_layers_read);
  model.dim = read_size(config, "hidden_size", max_size_read);
  model.hidden_dim = read_size(config, "intermediate_size", max_size_read);
  model.heads = read_size(config, "num_attention_heads", max_size_read);
  model.vocab_size = read_size(config, "vocab_size", max_size_read);
  model.context = config.uint("max_position_embeddings", INT32_MAX).value_or(family.context);
  const bool says_null = config.json().contains("num_key_value_heads");
  const std::uint64_t usual = family.kv_heads == 0 || says_null ? model.heads : family.kv_heads;
  model.kv_heads = config.uint("num_key_value_heads", max_size_read).value_or(usual);
  const std::uint64_t usual_dim = family.head_dim ? family.head_dim : model.dim / model.heads;
  model.head_dim = config.uint("head_dim", max_size_read).value_or(usual_dim);
  if (model.kv_heads == 0 || model.heads % model.kv_heads != 0)
    config.fail("num_key_value_heads",
                fmt::format("found {}, expected a divisor of the {} heads", model.kv_heads, model.heads));
  if (model.head_dim == 0 || model.head_dim % 2 != 0)
    config.fail("head_dim", fmt::format("found {}, expected an even number of at least 2", model.head_dim));
}

/// Divisors of the frequencies as Llama 3.1 scales them: transformers modeling_rope_utils.py,
/// _compute_llama3_parameters; rounded to binary32 after every step, as converters do.
std::vector<float> llama3_factors(const JsonObject& rope, double base, std::uint64_t head_dim) {
  const auto factor = static_cast<float>(rope.number("factor").value_or(8.0));
  const double low = rope.number("low_freq_factor").value_or(1.0);
  const double high = rope.number("high_freq_factor").value_or(4.0);
  const double old_context = rope.number("original_max_position_embeddings").value_or(8192.0);
  if (!(factor >= 1.0f) || !(low > 0.0) || !(high > low) || !(old_context >= 1.0))
    rope.fail("factor", fmt::format("found factors {}, {} and {} over {} positions, expected at least 1, and the low "
                                    "one below the high one",
                                    factor, low, high, old_context));
  std::vector<float> factors;
  for (std::uint64_t i = 0; i < head_dim; i += 2) {
    const float exponent = static_cast<float>(i) / static_cast<float>(head_dim);
    const auto power = static_cast<float>(std::pow(base, static_cast<double>(exponent)));
    const float frequency = 1.0f / power;
    const float length = static_cast<float>(2.0 * std::numbers::pi) / frequency;
    if (length < static_cast<float>(old_context / high)) factors.push_back(1.0f);
    else if (length > static_cast<float>(old_context / low)) factors.push_back(factor);
    else {
      const float smooth =
          (static_cast<float>(old_context) / length - static_cast<float>(low)) / static_cast<float>(high - low);
      factors.push_back(1.0f / ((1.0f - smooth) / factor + smooth));
    }
  }
  return factors;
}

void set_yarn(const JsonObject& rope, const ModelConfig& model, const std::string& prefix, Keys& keys) {
  keys.set(
      prefix + "original_context_length",
      static_cast<std::uint32_t>(rope.uint("original_max_position_embeddings", INT32_MAX).value_or(model.context)));
  const auto copy = [&](std::string_view from, std::string_view to) {
    if (const auto value = rope.number(from)) keys.set(prefix + std::string(to), static_cast<float>(*value));
  };
  for (const std::string_view unknown : {"mscale", "mscale_all_dim"})
    if (rope.has(unknown)) rope.fail(unknown, "kern doesn't know what it changes in this architecture");
  copy("extrapolation_factor", "yarn_ext_factor");
  copy(rope.has("attention_factor") ? "attention_factor" : "attn_factor", "yarn_attn_factor");
  copy("beta_fast", "yarn_beta_fast");
  copy("beta_slow", "yarn_beta_slow");
}

void set_rope(const JsonObject& config, ModelConfig& model, Keys& keys) {
  std::optional<JsonObject> rope = config.object("rope_parameters");
  if (!rope) rope = config.object("rope_scaling");
  const std::string arch(model.family->arch);
  double base = config.number("rope_theta").value_or(10000.0);
  std::string type = "default";
  if (rope) {
    base = rope->number("rope_theta").value_or(base);
    type = rope->text("rope_type").value_or(rope->text("type").value_or("default"));
    if (rope->number("partial_rotary_factor").value_or(1.0) != 1.0)
      rope->fail("partial_rotary_factor", "found a part of each head, expected 1; kern can't run this model");
    for (const std::string_view key : {"mrope_section", "full_attention", "sliding_attention"})
      if (rope->has(key)) rope->fail(key, "found more than one kind of positions; kern can't run this model");
  }
  if (!(base > 1.0)) config.fail("rope_theta", fmt::format("found {}, expected above 1", base));
  const std::string prefix = arch + ".rope.scaling.";
  if (type == "linear" || type == "yarn") {
    const auto factor = rope->number("factor");
    if (!factor || !(*factor > 0.0)) rope->fail("factor", "found no factor above 0, expected one; the file is damaged");
    keys.set(prefix + "type", type);
    keys.set(prefix + "factor", static_cast<float>(*factor));
    if (type == "yarn") set_yarn(*rope, model, prefix, keys);
  } else if (type == "llama3" && model.family->adjacent_pairs) {
    model.rope_factors = llama3_factors(*rope, base, model.head_dim);
  } else if (type != "default") {
    rope->fail("rope_type", fmt::format("found '{}', expected default, linear, yarn{}; kern can't run this model", type,
                                        model.family->adjacent_pairs ? ", llama3" : ""));
  }
  keys.set(arch + ".rope.freq_base", static_cast<float>(base));
}

void warn_of_windows(const JsonObject& config, ModelConfig& model) {
  const auto window = config.uint("sliding_window", INT32_MAX);
  const bool asked = config.flag("use_sliding_window").value_or(model.family->type == "mistral");
  if (window && asked && *window < model.context)
    model.warnings.push_back(
        fmt::format("{}: 'sliding_window' is {}, which GGUF files of this architecture don't say: beyond that many "
                    "positions the model sees more than it was trained on",
                    config.source(), *window));
}

std::uint32_t small(std::uint64_t size) { return static_cast<std::uint32_t>(size); }

/// A name below "layers.N.", or nothing.
struct LayerName {
  std::uint64_t layer = 0;
  std::string_view rest;
};
std::optional<LayerName> split_layer(std::string_view name) {
  constexpr std::string_view lead = "layers.";
  if (!name.starts_with(lead)) return std::nullopt;
  LayerName split;
  const auto [end, error] = std::from_chars(name.data() + lead.size(), name.data() + name.size(), split.layer);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  split.rest = std::string_view(end + 1, name.data() + name.size());
  return split;
}

/// Sizes that shapes are made of.
enum class Size { dim, hidden, q, kv, head, none };

struct PartName {
  std::string_view theirs;
  std::string_view ours;
  Size rows;
  Size columns; // none: a vector
  bool qk_norm; // only where heads are normalized

  bool is_matrix() const { return columns != Size::none; }
};
constexpr PartName part_names[] = {
    {"input_layernorm", "attn_norm", Size::dim, Size::none, false},
    {"self_attn.q_proj", "attn_q", Size::q, Size::dim, false},
    {"self_attn.k_proj", "attn_k", Size::kv, Size::dim, false},
    {"self_attn.v_proj", "attn_v", Size::kv, Size::dim, false},
    {"self_attn.o_proj", "attn_output", Size::dim, Size::q, false},
    {"self_attn.q_norm", "attn_q_norm", Size::head, Size::none, true},
    {"self_attn.k_norm", "attn_k_norm", Size::head, Size::none, true},
    {"post_attention_layernorm", "ffn_norm", Size::dim, Size::none, false},
    {"mlp.gate_proj", "ffn_gate", Size::hidden, Size::dim, false},
    {"mlp.up_proj", "ffn_up", Size::hidden, Size::dim, false},
    {"mlp.down_proj", "ffn_down", Size::dim, Size::hidden, false},
};

std::uint64_t size_of(const ModelConfig& config, Size size) {
  switch (size) {
  case Size::dim: return config.dim;
  case Size::hidden: return config.hidden_dim;
  case Size::q: return config.heads * config.head_dim;
  case Size::kv: return config.kv_heads * config.head_dim;
  case Size::head: return config.head_dim;
  case Size::none: break;
  }
  return 0;
}

} // namespace

std::string class_names() {
  std::string names;
  for (const Family& family : families)
    for (const std::string_view name : family.classes) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

ModelConfig read_config(const JsonObject& config, Keys& keys) {
  ModelConfig model;
  model.family = &find_family(config, model.class_name);
  model.bare = model.class_name.ends_with("Model");
  refuse_other_mathematics(config);
  read_sizes(config, model);
  const std::string arch(model.family->arch);
  keys.set("general.architecture", arch);
  keys.set("general.type", "model");
  keys.set(arch + ".block_count", small(model.layers));
  keys.set(arch + ".context_length", small(model.context));
  keys.set(arch + ".embedding_length", small(model.dim));
  keys.set(arch + ".feed_forward_length", small(model.hidden_dim));
  keys.set(arch + ".attention.head_count", small(model.heads));
  keys.set(arch + ".attention.head_count_kv", small(model.kv_heads));
  keys.set(arch + ".attention.layer_norm_rms_epsilon",
           static_cast<float>(config.number("rms_norm_eps").value_or(1e-6)));
  if (model.family->says_head_dim || config.has("head_dim")) {
    keys.set(arch + ".attention.key_length", small(model.head_dim));
    keys.set(arch + ".attention.value_length", small(model.head_dim));
  }
  set_rope(config, model, keys);
  if (model.family->adjacent_pairs) {
    keys.set(arch + ".vocab_size", small(model.vocab_size));
    keys.set(arch + ".rope.dimension_count", small(model.head_dim));
  }
  warn_of_windows(config, model);
  return model;
}

bool is_buffer(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attention.masked_bias") ||
         name.ends_with(".attention.bias");
}

std::optional<std::string> gguf_tensor_name(const ModelConfig& config, std::string_view name) {
  if (name == "lm_head.weight") return "output.weight";
  if (!config.bare) {
    if (!name.starts_with("model.")) return std::nullopt;
    name.remove_prefix(6);
  }
  if (name == "embed_tokens.weight") return "token_embd.weight";
  if (name == "norm.weight") return "output_norm.weight";
  const auto split = split_layer(name);
  if (!split || split->layer >= config.layers) return std::nullopt;
  for (const PartName& part : part_names) {
    if (!split->rest.starts_with(part.theirs) || (part.qk_norm && !config.family->qk_norm)) continue;
    const std::string_view suffix = split->rest.substr(part.theirs.size());
    if (suffix == ".weight" || (suffix == ".bias" && part.is_matrix()))
      return fmt::format("blk.{}.{}{}", split->layer, part.ours, suffix);
  }
  return std::nullopt;
}

std::vector<std::uint64_t> expected_shape(const ModelConfig& config, std::string_view gguf_name) {
  if (gguf_name == "token_embd.weight" || gguf_name == "output.weight") return {config.vocab_size, config.dim};
  if (gguf_name == "output_norm.weight") return {config.dim};
  const std::string_view rest = gguf_name.substr(gguf_name.find('.', 4) + 1); // after "blk.N."
  const std::string_view name = rest.substr(0, rest.rfind('.'));
  for (const PartName& part : part_names) {
    if (part.ours != name) continue;
    if (part.is_matrix() && rest.ends_with(".weight"))
      return {size_of(config, part.rows), size_of(config, part.columns)};
    return {size_of(config, part.rows)};
  }
  return {};
}

std::vector<std::string> required_tensors(const ModelConfig& config) {
  std::vector<std::string> names = {"token_embd.weight", "output_norm.weight"};
  for (std::uint64_t layer = 0; layer < config.layers; ++layer)
    for (const PartName& part : part_names)
      if (!part.qk_norm || config.family->qk_norm) names.push_back(fmt::format("blk.{}.{}.weight", layer, part.ours));
  return names;
}

std::uint64_t reordered_heads(const ModelConfig& config, std::string_view gguf_name) {
  if (!config.family->adjacent_pairs) return 0;
  if (gguf_name.find(".attn_q.") != std::string_view::npos) return config.heads;
  if (gguf_name.find(".attn_k.") != std::string_view::npos) return config.kv_heads;
  return 0;
}

} // namespace kern
