// A model as plain data: sizes, then what every layer is. The forward pass reads this and never an architecture's name.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kernels/backend.h"

namespace kern {

/// How the rotation's frequencies are stretched for texts longer than those of training.
enum class RopeScaling {
  none,
  linear, // positions divided by `factor`
  yarn,   // arXiv 2309.00071: slow frequencies divided by `factor`, fast ones kept, a ramp between
};

/// Rotary position embedding: pair i turns by position * base^(-2i / dims), scaled.
struct RopeSpec {
  RopePairs pairs = RopePairs::halves;
  int dims = 0; // rotated dimensions of a head
  double base = 10000.0;
  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  int original_context = 0;      // yarn: positions of training
  double extrapolation = 1.0;    // yarn: share of the ramp
  double attention_factor = 1.0; // yarn: multiplies the magnitude
  double beta_fast = 32.0;       // yarn: turns within original_context above which a frequency is kept
  double beta_slow = 1.0;        // yarn: turns below which it is divided
  bool has_factors = false;      // tensor rope_freqs.weight [dims/2] divides the frequencies (Llama 3)

  bool operator==(const RopeSpec&) const = default;
};

enum class QkNorm { none, per_head };

/// Grouped-query attention over the KV cache.
struct Attention {
  int heads = 0;
  int kv_heads = 0;
  int key_dim = 0;   // of a head
  int value_dim = 0; // of a head
  int window = 0;    // keys at distance < window are seen; 0: all
  float scale = 0.0f;
  std::optional<int> rope; // index into ModelSpec::ropes; nothing: no position encoding
  QkNorm qk_norm = QkNorm::none;
  bool qkv_bias = false;
  bool output_bias = false;

  int query_size() const { return heads * key_dim; }
  int key_size() const { return kv_heads * key_dim; }
  int value_size() const { return kv_heads * value_dim; }
  int output_size() const { return heads * value_dim; }
};

/// down(activation(gate(x)) * up(x))
struct DenseFfn {
  int hidden_dim = 0;
  Activation activation = Activation::silu;
  bool gate_bias = false;
  bool up_bias = false;
  bool down_bias = false;
};

using Mixer = std::variant<Attention>;
using FeedForward = std::variant<DenseFfn>;

/// Norm, mixer, residual; norm, feed-forward, residual.
struct LayerSpec {
  Mixer mixer;
  FeedForward ffn;
};

struct ModelSpec {
  std::string architecture; // as the file names it, for people only
  std::string name;
  int vocab_size = 0;
  int dim = 0;            // of the residual stream
  int context_length = 0; // positions the model was trained for
  float norm_epsilon = 0.0f;
  bool tied_output = false; // the output matrix is the embedding table
  std::vector<RopeSpec> ropes;
  std::vector<LayerSpec> layers;
};

/// Frequencies [dims/2] in radians a position with scaling applied; `factors` [dims/2] where has_factors.
std::vector<double> rope_frequencies(const RopeSpec& rope, const std::vector<float>& factors);
/// What cosine and sine are multiplied by.
float rope_magnitude(const RopeSpec& rope);

} // namespace kern
