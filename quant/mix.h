// Which tensor gets which format: the named mixes that people know from llama.cpp, so that the names mean the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/format_id.h"

namespace kern {

/// What a matrix does, as far as mixes care.
enum class TensorRole {
  token_embedding,
  output,
  attention_q,
  attention_k,
  attention_v, // also one matrix for q, k and v
  attention_output,
  feed_forward_down,
  feed_forward_gate,
  feed_forward_up,
  other,
};
TensorRole tensor_role(std::string_view name);

/// Whether a mix may change a tensor at all: matrices named .weight, but for norms, routers and such small ones as a
/// model suffers from more than a file gains.
bool may_quantize(std::string_view name, int rank);

/// What a mix asks of the whole model.
struct MixModel {
  int layers = 0;
  int heads_per_kv_head = 1;
  int experts = 0;
  bool importance = false;      // whether there is an importance matrix
  bool tied_embeddings = false; // the token embedding is also the output
};

/// When a rule applies, told by the number of the tensor among those of its role and by the model.
enum class MixWhen {
  always,
  more_bits, // the first and last eighth, and every third between them
  first_two,
  first_four,
  first_eighth, // of the layers
  first_16th,
  first_eighth_with_importance,
  first_eighth_without_importance,
  without_importance,
  middle,                   // all but the first and last eighth
  more_bits_of_eight,       // experts
  grouped_heads,            // at least four query heads for each of k and v
  grouped_heads_or_experts, // or at least four experts
};

struct MixRule {
  TensorRole role;
  MixWhen when;
  Format format;
};

struct Mix {
  std::string_view name;
  std::uint32_t file_type;    // general.file_type
  Format format;              // of what no rule names
  std::vector<MixRule> rules; // the first that applies
  bool experts_only = false;  // `format` is for experts; everything else is Q8_0
};

std::span<const Mix> mixes();
/// By name, in any case, Q4_K for Q4_K_M and such included; null where there is none.
const Mix* find_mix(std::string_view name);

/// One tensor in a mix.
struct MixTensor {
  std::string_view name;
  std::uint64_t columns = 0;
  std::uint64_t experts = 1; // matrices in the tensor
  int layer = -1;            // -1: of no layer
  int number = 0;            // among the tensors of its role, layer by layer, from 0
};

/// The format a mix gives a tensor that may_quantize(), before fall_back().
Format choose_format(const Mix& mix, const MixModel& model, const MixTensor& tensor);

/// Whether a format is so small that errors have to be weighed; llama.cpp refuses these without an importance matrix.
bool needs_importance(Format format);

/// The format itself where a row of so many columns is a whole number of blocks, else the nearest that fits, as
/// llama.cpp chooses it; F16 at last.
Format fall_back(Format format, std::uint64_t columns);

} // namespace kern
