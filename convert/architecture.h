// config.json: which architecture a folder holds, its sizes as GGUF keys, its tensors' names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/json_reader.h"
#include "convert/keys.h"

namespace kern {

/// Classes of transformers that GGUF calls by one name. Names, keys and permutations are those of llama.cpp's
/// convert_hf_to_gguf.py.
struct Family {
  std::string_view arch; // general.architecture
  std::string_view type; // as config.json says it in model_type
  bool adjacent_pairs;   // rows of q and k are reordered so that rotated pairs are neighbours
  bool qk_norm;
  bool piece_tokens;      // vocabularies may be SentencePiece's, and what llama.cpp knows of Llama's own is written
  std::uint64_t context;  // what transformers takes where config.json doesn't say
  std::uint64_t kv_heads; // the same; 0: as many as heads
  std::uint64_t head_dim; // the same; 0: dim / heads
  bool says_head_dim;     // whether the head's size is a key where config.json doesn't say it
  std::vector<std::string_view> classes;
};

/// What config.json says of a model kern can convert.
struct ModelConfig {
  const Family* family = nullptr;
  std::string class_name; // LlamaForCausalLM
  bool bare = false;      // a class without head: tensors' names lack "model."
  std::uint64_t layers = 0;
  std::uint64_t dim = 0;
  std::uint64_t hidden_dim = 0;
  std::uint64_t heads = 0;
  std::uint64_t kv_heads = 0;
  std::uint64_t head_dim = 0;
  std::uint64_t vocab_size = 0;
  std::uint64_t context = 0;
  std::vector<std::string> warnings; // what the file can't say

  /// [head_dim / 2] divisors of the rotation's frequencies, where the model scales them one by one ("llama3").
  std::vector<float> rope_factors;
};

/// Reads config.json and sets the keys of its architecture. Throws Error(model) where the architecture, its activation,
/// its scaling of positions or anything else that changes the mathematics isn't known: by name.
ModelConfig read_config(const JsonObject& config, Keys& keys);

/// The GGUF name of a tensor of transformers; nothing for one the architecture doesn't have.
std::optional<std::string> gguf_tensor_name(const ModelConfig& config, std::string_view name);

/// What such a tensor must be: [rows, columns], or [elements].
std::vector<std::uint64_t> expected_shape(const ModelConfig& config, std::string_view gguf_name);

/// All that a model must have, by their GGUF names; biases and a separate output may be missing.
std::vector<std::string> required_tensors(const ModelConfig& config);

/// Whether a tensor is of no use: rotation tables and masks that older versions of transformers saved.
bool is_buffer(std::string_view name);

/// The heads whose rows are reordered; 0 where the rows stay.
std::uint64_t reordered_heads(const ModelConfig& config, std::string_view gguf_name);

/// "LlamaForCausalLM, MistralForCausalLM, ..." for messages.
std::string class_names();

} // namespace kern
