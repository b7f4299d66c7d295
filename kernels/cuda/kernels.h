// What kernels/cuda can launch. Everything is enqueued; pointers are device memory. Results have the bits that
// kernels/backend.h defines unless said otherwise, whatever the launch geometry.
#pragma once

#include <span>

#include "kernels/backend.h"
#include "kernels/cuda/activations.h"
#include "kernels/cuda/runtime.h"
#include "kernels/cuda/units.h"
#include "kernels/sampling.h"

namespace kern::cuda {

/// out [n][columns] = x / sqrt(mean(x^2) + epsilon) * weight, along runs of `columns`: x holds `rows` of them
void launch_norm(Device& device, const float* x, const float* weight, float epsilon, int rows, int columns, float* out);
/// x [tokens][columns] rounded for both kinds of formats, where wanted.
void launch_quantize(Device& device, const float* x, int tokens, int columns, const RoundedRows& by32,
                     const RoundedRows& by256);
/// Both in one pass.
void launch_norm_quantize(Device& device, const float* x, const float* weight, float epsilon, int tokens, int columns,
                          float* normed, const RoundedRows& by32, const RoundedRows& by256);

/// What becomes of a product's result.
enum class Epilogue {
  store,    // out = result (+ bias)
  add,      // out += result (+ bias)
  activate, // of two parts, gate and up: gate's out = silu(gate result (+ bias)) * up result (+ bias)
};
struct ProductPart {
  DeviceMatrix weight;
  const float* bias = nullptr;
  float* out = nullptr; // [tokens][rows of weight]
};
inline constexpr int most_parts = 3;

/// Activations as a product of one token at a time takes them.
struct VectorInput {
  const float* x = nullptr; // [tokens][columns]
  int columns = 0;
  const float* norm = nullptr; // weight [columns] of a norm that comes before; null: none
  float epsilon = 0.0f;
  float* normed = nullptr; // [tokens][columns]: where the normed activations are wanted too; null: nowhere
};

/// Quantized weights: up to three matrices of one format that share their input. Each row of weights is read once a
/// token: for generated tokens.
void launch_vector_product(Device& device, std::span<const ProductPart> parts, const VectorInput& input, int tokens,
                           Epilogue epilogue);
/// Float weights, in the 16 strided lanes of the canonical arithmetic.
void launch_float_product(Device& device, std::span<const ProductPart> parts, const VectorInput& input, int tokens,
                          Epilogue epilogue);
/// out [tokens][columns] = rows of the table, times scale
void launch_embed(Device& device, const DeviceMatrix& table, const std::int32_t* token, int tokens, float scale,
                  float* out);
/// x [rows][columns] += bias [columns]
void launch_add_bias(Device& device, const float* bias, int rows, int columns, float* x);
/// to [count] += x
void launch_add(Device& device, const float* x, std::size_t count, float* to);
/// gate [count] = silu(gate) * up
void launch_activate(Device& device, const float* up, std::size_t count, float* gate);
/// out [count][columns] = the rows of x that `row` names
void launch_gather(Device& device, const float* x, const std::int32_t* row, int count, int columns, float* out);
/// table [tokens][dims]: cosines, then sines
void launch_rope_table(Device& device, const Rope& rope, const std::int32_t* position, int tokens, float* table);
/// x [tokens][heads * head_dim] in place
void launch_rotate(Device& device, const Rope& rope, const float* table, int tokens, int heads, int head_dim, float* x);

/// k [n][kv_heads * key_dim], v [n][kv_heads * value_dim] into the pages of the step's positions
void launch_store_kv(Device& device, const KvLayer& cache, const StepInputs& step, const float* k, const float* v);
/// q/k norm of each head (weights null: none), rotation (rope null: none; table [n][dims]), storing of k and v; changes
/// q and k in place.
void launch_norm_rotate_store(Device& device, const float* query_norm, const float* key_norm, float epsilon,
                              const Rope* rope, const float* table, const KvLayer& cache, const StepInputs& step,
                              int heads, float* q, float* k, const float* v);
/// out [n][heads * value_dim]; heads have an even number of dimensions, at most 256. For generated tokens: chunks of 64
/// keys side by side on the whole device, merged left to right afterwards; how much is launched depends on the page
/// table's length, never on positions. `scratch`: split_attention_bytes.
void launch_split_attention(Device& device, const AttentionShape& shape, const KvLayer& cache, const StepInputs& step,
                            const float* q, float* out, std::byte* scratch);
std::size_t split_attention_bytes(const AttentionShape& shape, int tokens, int pages_per_sequence);
/// The same for prompts: tiles of queries walk over the chunks. Rows of a sequence stand together, by position.
void launch_tile_attention(Device& device, const AttentionShape& shape, const KvLayer& cache, const StepInputs& step,
                           const float* q, float* out);

/// Quantized weights with rounded activations of many tokens: integer matrix instructions. Where roundings are narrow,
/// a scale that is infinite, or above 2^104, may give not a number where the canonical arithmetic gives infinity.
void launch_tile_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x, int tokens,
                         Epilogue epilogue);
/// What changes no bit of a product by warpgroups.
struct WarpgroupOptions {
  unsigned row_tiles = 0; // how many times 64 rows a block has, 1 or 2; 0: what is fastest
  /// On the device: becomes 1 where copies that are waited for don't come within seconds. Null: the kernel fails then.
  std::uint32_t* expired = nullptr;
};
/// The same with sm_90a's products of warpgroups, without its exception. Only for devices that have them: see
/// Device::warpgroup_products().
void launch_warpgroup_tile_product(Device& device, std::span<const ProductPart> parts, const RoundedRows& x, int tokens,
                                   Epilogue epilogue, const WarpgroupOptions& options = {});
/// Float weights with many tokens, in the canonical arithmetic.
void launch_lane_tile_product(Device& device, std::span<const ProductPart> parts, const float* x, int tokens,
                              Epilogue epilogue);
/// Float weights with many tokens. F32: the canonical arithmetic. F16 and BF16: tensor cores, which want activations
/// rounded to the weights' type; F16's range is made to fit by a power of two for each 64 columns of a token. A result
/// is off by at most 2^-11 (F16) or 2^-8 (BF16) of the sum of its terms' magnitudes, and depends on nothing but its row
/// and its token. Where tensor cores have no BF16 (before sm_80) its arithmetic is the canonical one.
void launch_float_tile_product(Device& device, std::span<const ProductPart> parts, const float* x, int tokens,
                               Epilogue epilogue);
/// The same for F16 and BF16 with sm_90a's products of warpgroups, only for devices that have them; all of a prompt's
/// products go by the same way, because their order of adding may be another. scratch: warpgroup_float_bytes, 256-byte
/// aligned. row_tiles: 1, 2 or 4, or 0.
void launch_warpgroup_float_product(Device& device, std::span<const ProductPart> parts, const float* x, int tokens,
                                    Epilogue epilogue, std::byte* scratch, unsigned row_tiles = 0);
std::size_t warpgroup_float_bytes(int tokens, int columns);

/// *token = what the host's sampler draws from logits [vocab_size], none of them NaN, at *position: of the token to
/// draw, as Sampler::sample takes it. Ties go to the lower id. All in device memory; scratch: sampler_bytes. Where a
/// logit is NaN the token is any number.
void launch_sample(Device& device, const SamplingChain& chain, const float* logits, int vocab_size,
                   const std::uint64_t* position, std::int32_t* token, std::byte* scratch);
/// By whatever chain.
std::size_t sampler_bytes(int vocab_size);
/// Whether launch_sample knows how.
bool can_sample(const SamplingChain& chain, int vocab_size);
/// *found += how many threads see a logit that is no finite number.
void launch_find_non_finite(Device& device, const float* logits, int vocab_size, std::int32_t* found);

} // namespace kern::cuda
