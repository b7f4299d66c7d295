#include "quant/mix.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "quant/formats.h"

namespace kern {

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

using enum TensorRole;
using When = MixWhen;

/// Of the smallest mixes: what needs more bits, and the attention's output.
std::vector<MixRule> two_bit_rules(Format larger, Format attention_out) {
  return {{output, When::always, Format::q5_k},
          {token_embedding, When::always, larger},
          {attention_v, When::grouped_heads_or_experts, Format::q4_k},
          {attention_v, When::always, larger},
          {feed_forward_down, When::first_eighth, larger},
          {attention_output, When::always, attention_out}};
}

/// As in llama.cpp's src/llama-quant.cpp (September 2026).
const std::vector<Mix> all_mixes = {
    {"F32", 0, Format::f32, {}},
    {"F16", 1, Format::f16, {}},
    {"BF16", 32, Format::bf16, {}},
    {"Q8_0", 7, Format::q8_0, {}},
    {"Q4_0", 2, Format::q4_0, {{feed_forward_down, When::first_eighth_with_importance, Format::q4_1}}},
    {"Q4_1", 3, Format::q4_1, {}},
    {"Q5_0", 8, Format::q5_0, {{feed_forward_down, When::first_eighth_with_importance, Format::q5_1}}},
    {"Q5_1", 9, Format::q5_1, {}},
    {"Q2_K",
     10,
     Format::q2_k,
     {{attention_v, When::grouped_heads, Format::q4_k},
      {attention_v, When::always, Format::q3_k},
      {feed_forward_down, When::always, Format::q3_k},
      {attention_output, When::always, Format::q3_k}}},
    {"Q2_K_S",
     21,
     Format::q2_k,
     {{attention_v, When::grouped_heads, Format::q4_k}, {feed_forward_down, When::first_eighth, Format::q4_k}}},
    {"Q3_K_S", 11, Format::q3_k, {}},
    {"Q3_K_M",
     12,
     Format::q3_k,
     {{attention_v, When::first_two, Format::q5_k},
      {attention_v, When::always, Format::q4_k},
      {feed_forward_down, When::first_16th, Format::q5_k},
      {feed_forward_down, When::always, Format::q4_k},
      {attention_output, When::always, Format::q4_k}}},
    {"Q3_K_L",
     13,
     Format::q3_k,
     {{attention_v, When::always, Format::q5_k},
      {feed_forward_down, When::always, Format::q5_k},
      {attention_output, When::always, Format::q5_k}}},
    {"Q4_K_S",
     14,
     Format::q4_k,
     {{attention_v, When::first_four, Format::q5_k}, {feed_forward_down, When::first_eighth, Format::q5_k}}},
    {"Q4_K_M",
     15,
     Format::q4_k,
     {{attention_v, When::more_bits, Format::q6_k}, {feed_forward_down, When::more_bits, Format::q6_k}}},
    {"Q5_K_S", 16, Format::q5_k, {}},
    {"Q5_K_M",
     17,
     Format::q5_k,
     {{attention_v, When::more_bits, Format::q6_k}, {feed_forward_down, When::more_bits, Format::q6_k}}},
    {"Q6_K", 18, Format::q6_k, {}},
    {"IQ3_M",
     27,
     Format::iq3_s,
     {{attention_v, When::always, Format::q4_k},
      {feed_forward_down, When::first_eighth, Format::q4_k},
      {feed_forward_down, When::more_bits_of_eight, Format::q4_k},
      {attention_output, When::always, Format::q4_k}}},
    {"IQ3_S", 26, Format::iq3_s, {{attention_v, When::grouped_heads, Format::q4_k}}},
    {"IQ3_XS",
     22,
     Format::iq3_s,
     {{attention_v, When::grouped_heads, Format::q4_k},
      {attention_k, When::always, Format::iq3_xxs},
      {attention_q, When::always, Format::iq3_xxs},
      {feed_forward_gate, When::middle, Format::iq3_xxs},
      {feed_forward_up, When::middle, Format::iq3_xxs}}},
    {"IQ3_XXS",
     23,
     Format::iq3_xxs,
     {{output, When::always, Format::q5_k},
      {token_embedding, When::always, Format::iq3_s},
      {attention_v, When::grouped_heads, Format::q4_k},
      {attention_v, When::without_importance, Format::iq3_s},
      {attention_k, When::always, Format::iq2_s},
      {attention_q, When::always, Format::iq2_s},
      {feed_forward_down, When::first_eighth_without_importance, Format::q4_k},
      {feed_forward_down, When::without_importance, Format::q3_k},
      {attention_output, When::always, Format::iq3_s}}},
    {"IQ2_M", 29, Format::iq2_s, two_bit_rules(Format::iq3_s, Format::iq3_s)},
    {"IQ2_S", 28, Format::iq2_xs, two_bit_rules(Format::iq3_s, Format::iq3_s)},
    {"IQ2_XS", 20, Format::iq2_xs, two_bit_rules(Format::q2_k, Format::iq2_xs)},
    {"IQ2_XXS", 19, Format::iq2_xxs, two_bit_rules(Format::q2_k, Format::iq2_xxs)},
    {"IQ1_M", 31, Format::iq1_m, two_bit_rules(Format::q2_k, Format::iq2_xxs)},
    {"IQ1_S", 24, Format::iq1_s, two_bit_rules(Format::q2_k, Format::iq2_xxs)},
    {"IQ4_NL",
     25,
     Format::iq4_nl,
     {{attention_v, When::grouped_heads, Format::q5_k},
      {feed_forward_down, When::first_eighth_without_importance, Format::q5_k}}},
    {"IQ4_XS",
     30,
     Format::iq4_xs,
     {{attention_v, When::grouped_heads, Format::q5_k},
      {feed_forward_down, When::first_eighth_without_importance, Format::q5_k}}},
    {"TQ1_0", 36, Format::tq1_0, {{token_embedding, When::always, Format::q4_k}}},
    {"TQ2_0", 37, Format::tq2_0, {{token_embedding, When::always, Format::q4_k}}},
    {"Q1_0", 40, Format::q1_0, {}},
    {"Q2_0", 41, Format::q2_0, {{token_embedding, When::always, Format::q4_k}}},
    {"MXFP4_MOE", 38, Format::mxfp4, {}, true},
    {"NVFP4", 39, Format::nvfp4, {}},
};

constexpr std::array<std::array<std::string_view, 2>, 5> other_names = {{
    {"Q3_K", "Q3_K_M"},
    {"Q4_K", "Q4_K_M"},
    {"Q5_K", "Q5_K_M"},
    {"MXFP4", "MXFP4_MOE"},
    {"FP16", "F16"},
}};

bool applies(MixWhen when, const MixModel& model, int number) {
  const int eighth = model.layers / 8;
  switch (when) {
  case When::always: return true;
  case When::more_bits: return number < eighth || number >= 7 * model.layers / 8 || (number - eighth) % 3 == 2;
  case When::first_two: return number < 2;
  case When::first_four: return number < 4;
  case When::first_eighth: return number < eighth;
  case When::first_16th: return number < model.layers / 16;
  case When::first_eighth_with_importance: return model.importance && number < eighth;
  case When::first_eighth_without_importance: return !model.importance && number < eighth;
  case When::without_importance: return !model.importance;
  case When::middle: return number >= eighth && number < 7 * model.layers / 8;
  case When::more_bits_of_eight: return model.experts == 8 && applies(When::more_bits, model, number);
  case When::grouped_heads: return model.heads_per_kv_head >= 4;
  case When::grouped_heads_or_experts: return model.heads_per_kv_head >= 4 || model.experts >= 4;
  }
  return false;
}

/// Fewer than three bits, of a grid.
bool is_two_bit_grid(Format format) {
  switch (format) {
  case Format::iq1_s:
  case Format::iq1_m:
  case Format::iq2_xxs:
  case Format::iq2_xs:
  case Format::iq2_s: return true;
  default: return false;
  }
}

/// Models of eight experts share attention among them, so its matrices weigh little and matter much.
Format of_eight_experts(const Mix& mix, TensorRole role, Format format) {
  if (is_two_bit_grid(mix.format))
    return role == attention_k ? Format::q4_k : role == attention_output ? Format::q5_k : format;
  if (role == attention_v || role == attention_k) return Format::q8_0;
  const bool small = mix.format == Format::q2_k || mix.format == Format::q3_k || mix.format == Format::q4_k ||
                     mix.format == Format::iq4_nl || mix.format == Format::iq4_xs || mix.format == Format::iq3_xxs ||
                     mix.format == Format::iq3_s;
  if (role != attention_output) return format;
  return small && mix.name != "Q3_K_L" && mix.name != "Q2_K_S" ? Format::q5_k : mix.format;
}

} // namespace

TensorRole tensor_role(std::string_view name) {
  if (name == "output.weight") return output;
  if (name == "token_embd.weight" || name == "per_layer_token_embd.weight") return token_embedding;
  for (const std::string_view part : {"attn_qkv.weight", "attn_kv_b.weight", "attn_v.weight"})
    if (contains(name, part)) return attention_v;
  if (contains(name, "attn_k.weight")) return attention_k;
  if (contains(name, "attn_q.weight")) return attention_q;
  if (contains(name, "attn_output.weight")) return attention_output;
  if (contains(name, "ffn_up")) return feed_forward_up;
  if (contains(name, "ffn_gate")) return feed_forward_gate;
  if (contains(name, "ffn_down")) return feed_forward_down;
  return other;
}

bool may_quantize(std::string_view name, int rank) {
  if (rank < 2 || !name.ends_with("weight")) return false;
  constexpr std::string_view kept[] = {"_norm.weight",
                                       "ffn_gate_inp.weight",
                                       "ffn_gate_tid2eid.weight",
                                       "altup",
                                       "laurel",
                                       "per_layer_model_proj",
                                       "position_embd",
                                       "token_types",
                                       "ssm_conv1d",
                                       "shortconv.conv.weight",
                                       "indexer.k_proj",
                                       "indexer.q_proj",
                                       "time_mix_first",
                                       "time_mix_w",
                                       "time_mix_v0",
                                       "time_mix_v1",
                                       "time_mix_v2",
                                       "time_mix_a",
                                       "time_mix_g1",
                                       "time_mix_g2",
                                       "time_mix_decay_w",
                                       "time_mix_lerp_fused",
                                       "attn_rel_b",
                                       ".patch_embd",
                                       ".rel_pos"};
  return std::ranges::none_of(kept, [&](std::string_view part) { return contains(name, part); });
}

std::span<const Mix> mixes() { return all_mixes; }

const Mix* find_mix(std::string_view name) {
  std::string upper(name);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  for (const auto& [other, known] : other_names)
    if (upper == other) upper = known;
  const auto found = std::ranges::find(all_mixes, upper, &Mix::name);
  return found == all_mixes.end() ? nullptr : &*found;
}

Format choose_format(const Mix& mix, const MixModel& model, const MixTensor& tensor) {
  if (find_format(mix.format)->is_float) return mix.format;
  TensorRole role = tensor_role(tensor.name);
  if (role == token_embedding && model.tied_embeddings) role = output;
  if (role == output) {
    const auto width = static_cast<std::uint64_t>(find_format(mix.format)->width);
    if (mix.experts_only || mix.format == Format::q8_0 || tensor.columns % width != 0) return Format::q8_0;
  }
  if (mix.experts_only) return tensor.experts > 1 ? mix.format : Format::q8_0;
  // Experts are several tensors a layer in old files: then the layer counts.
  const bool feed_forward = role == feed_forward_down || role == feed_forward_gate || role == feed_forward_up;
  const bool by_layer = feed_forward && model.experts > 1 && !is_two_bit_grid(mix.format);
  const int number = by_layer ? tensor.layer : tensor.number;
  const auto rule = std::ranges::find_if(
      mix.rules, [&](const MixRule& r) { return r.role == role && applies(r.when, model, number); });
  if (role == output) return rule == mix.rules.end() ? Format::q6_k : rule->format;
  Format format = rule == mix.rules.end() ? mix.format : rule->format;
  // With 80 layers, v is an eighth of q and a few bits more cost nothing.
  if (role == attention_v && model.layers == 80 && (format == Format::q3_k || format == Format::q4_k) &&
      !is_two_bit_grid(mix.format))
    format = Format::q5_k;
  return model.experts == 8 ? of_eight_experts(mix, role, format) : format;
}

bool needs_importance(Format format) { return is_two_bit_grid(format) || format == Format::iq3_xxs; }

Format fall_back(Format format, std::uint64_t columns) {
  const auto fits = [&](Format f) { return columns % static_cast<std::uint64_t>(find_format(f)->width) == 0; };
  if (fits(format)) return format;
  Format next = Format::f16;
  switch (format) {
  case Format::iq1_s:
  case Format::iq1_m:
  case Format::iq2_xxs:
  case Format::iq2_xs:
  case Format::iq2_s:
  case Format::iq3_xxs:
  case Format::iq3_s:
  case Format::iq4_xs: next = Format::iq4_nl; break;
  case Format::q2_k:
  case Format::q3_k:
  case Format::q2_0:
  case Format::tq1_0:
  case Format::tq2_0: next = Format::q4_0; break;
  case Format::q4_k: next = Format::q5_0; break;
  case Format::q5_k: next = Format::q5_1; break;
  case Format::q6_k: next = Format::q8_0; break;
  default: break;
  }
  return fits(next) ? next : Format::f16;
}

} // namespace kern
