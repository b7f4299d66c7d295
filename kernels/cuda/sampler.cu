// Sampling on the device, with the results of engine/sampler.h: the same arithmetic (kernels/sampling.h), whose sums
// are whole numbers and so the same in every order. Here are chains that begin with a top-k: one block draws from
// sorted candidates. vocabulary_draw.cu has the others.
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/top_keys.h"
#include "kernels/cuda/vocabulary_draw.h"
#include "kernels/random.h"

#include <algorithm>
#include <bit>

namespace kern::cuda {

namespace {

constexpr int sampler_threads = 128;

struct DrawToken {
  const std::uint64_t* keys; // [count], in order
  int count;
  SamplingChain chain;
  const std::uint64_t* position;
  std::int32_t* token;
};

struct SamplerShared {
  std::uint64_t likelihoods[most_top_k];
  float logits[most_top_k];
  int count;
};

/// Of logits whose first is the greatest.
KERN_DEVICE void find_likelihoods(SamplerShared& shared, int count) {
  for (int i = thread_index(); i < count; i += sampler_threads)
    shared.likelihoods[i] = likelihood(shared.logits[i], shared.logits[0]);
  block_barrier();
}

KERN_DEVICE std::uint64_t sum_of(const SamplerShared& shared, int count) {
  std::uint64_t sum = 0;
  for (int i = 0; i < count; ++i) sum += shared.likelihoods[i];
  return sum;
}

/// The candidate whose likelihood carries the sum of those before it beyond `wanted`.
KERN_DEVICE int find_candidate(const SamplerShared& shared, int count, std::uint64_t wanted) {
  int i = 0;
  for (std::uint64_t sum = shared.likelihoods[0]; sum <= wanted && i + 1 < count; sum += shared.likelihoods[i]) ++i;
  return i;
}

/// How many candidates are left of the first `count`: they are in order, so that every step keeps the first.
KERN_DEVICE int keep_candidates(const SamplerShared& shared, const SamplingChain& chain, int count) {
  if (chain.top_p < 1.0f) count = find_candidate(shared, count, share_of_sum(sum_of(shared, count), chain.top_p)) + 1;
  if (chain.min_p > 0.0f)
    while (count > 1 && !is_likely(shared.likelihoods[count - 1], chain.min_p)) --count;
  return count;
}

/// One block. The steps in the order of the host's default chain.
__global__ void __launch_bounds__(sampler_threads) draw_token(DrawToken call) {
  wait_for_inputs();
  auto& shared = shared_memory<SamplerShared>();
  const SamplingChain& chain = call.chain;
  if (call.count == 1) { // every step keeps it
    if (thread_index() == 0) *call.token = id_of(call.keys[0]);
    return;
  }
  for (int i = thread_index(); i < call.count; i += sampler_threads) shared.logits[i] = logit_of(call.keys[i]);
  block_barrier();
  find_likelihoods(shared, call.count);
  if (thread_index() == 0) shared.count = keep_candidates(shared, chain, call.count);
  block_barrier();
  const int count = shared.count;
  for (int i = thread_index(); i < count; i += sampler_threads)
    shared.logits[i] = divide(shared.logits[i], chain.temperature);
  block_barrier();
  find_likelihoods(shared, count);
  if (thread_index() != 0) return;
  const double number = uniform(chain.seed, *call.position);
  *call.token = id_of(call.keys[find_candidate(shared, count, draw_from_sum(sum_of(shared, count), number))]);
}

struct FindNonFinite {
  const float* logits;
  int count;
  std::int32_t* found;
};

__global__ void __launch_bounds__(sampler_threads) find_non_finite(FindNonFinite call) {
  wait_for_inputs();
  bool any = false;
  for (int i = block_x() * sampler_threads + thread_index(); i < call.count; i += grid_x() * sampler_threads)
    any = any || (float_bits(call.logits[i]) & 0x7F800000u) == 0x7F800000u;
  if (any) atomic_add(call.found, 1);
}

/// Whether candidates can be sorted before anything else.
bool has_few_candidates(const SamplingChain& chain) {
  return chain.temperature <= 0.0f || (chain.top_k >= 1 && chain.top_k <= most_top_k);
}
/// Those that the chain begins with, where they are few.
int first_candidates(const SamplingChain& chain, int vocab_size) {
  return chain.temperature <= 0.0f ? 1 : std::min(chain.top_k, vocab_size);
}
int kept_keys(const SamplingChain& chain, int vocab_size) {
  return static_cast<int>(std::bit_ceil(static_cast<unsigned>(first_candidates(chain, vocab_size))));
}

} // namespace

void launch_find_non_finite(Device& device, const float* logits, int vocab_size, std::int32_t* found) {
  const int blocks = std::min((vocab_size + sampler_threads - 1) / sampler_threads, 2 * device.info().multiprocessors);
  launch(device, find_non_finite, {static_cast<unsigned>(blocks)}, sampler_threads, 0,
         FindNonFinite{logits, vocab_size, found});
}

std::size_t sampler_bytes(int vocab_size) {
  return std::max(top_keys_bytes(vocab_size, most_top_k), vocabulary_draw_bytes(vocab_size));
}

bool can_sample(const SamplingChain& chain, int vocab_size) {
  return has_few_candidates(chain) || vocab_size <= most_drawn_vocabulary;
}

void launch_sample(Device& device, const SamplingChain& chain, const float* logits, int vocab_size,
                   const std::uint64_t* position, std::int32_t* token, std::byte* scratch) {
  if (!has_few_candidates(chain))
    return launch_vocabulary_draw(device, chain, logits, vocab_size, position, token, scratch);
  DrawToken call{};
  call.keys = launch_top_keys(device, logits, vocab_size, kept_keys(chain, vocab_size), scratch);
  call.count = first_candidates(chain, vocab_size);
  call.chain = chain;
  call.position = position;
  call.token = token;
  launch(device, draw_token, {1}, sampler_threads, sizeof(SamplerShared), call);
}

} // namespace kern::cuda
