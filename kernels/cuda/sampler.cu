// Sampling on the device, with the results of engine/sampler.h: the same double arithmetic in the same order. Sums go
// over candidates one after the other, which is why the chain begins with a top-k of at most 1024; exponentials and
// divisions are a thread each.
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/top_keys.h"
#include "kernels/random.h"

#include <algorithm>
#include <bit>
#include <cassert>

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
  double weights[most_top_k]; // e^(logit - greatest logit)
  double shares[most_top_k];  // probabilities
  float logits[most_top_k];
  std::int32_t ids[most_top_k];
  double sum;
  int count;
};

/// weights of the logits, whose first is the greatest; those of less than e^-690 count as 0.
KERN_DEVICE void find_weights(SamplerShared& shared, int count) {
  const float top = shared.logits[0];
  for (int i = thread_index(); i < count; i += sampler_threads) {
    const float logit = shared.logits[i];
    // Equal ones are told apart first: where nothing is allowed, all logits are -inf.
    const double difference = logit == top ? 0.0 : static_cast<double>(logit) - static_cast<double>(top);
    shared.weights[i] = difference < -690.0 ? 0.0 : exp_f64(difference);
  }
  block_barrier();
}

/// shares = weights / their sum.
KERN_DEVICE void find_shares(SamplerShared& shared, int count) {
  if (thread_index() == 0) {
    double sum = 0.0;
    for (int i = 0; i < count; ++i) sum += shared.weights[i];
    shared.sum = sum;
  }
  block_barrier();
  for (int i = thread_index(); i < count; i += sampler_threads) shared.shares[i] = shared.weights[i] / shared.sum;
  block_barrier();
}

/// How many of the first reach `share` together.
KERN_DEVICE int first_with_share(const SamplerShared& shared, int count, double share) {
  double sum = 0.0;
  for (int i = 0; i < count; ++i) {
    sum += shared.shares[i];
    if (sum >= share) return i + 1;
  }
  return count;
}

/// Keeps candidates of at least `share` of the greatest probability, in their order; returns how many.
KERN_DEVICE int keep_likely(SamplerShared& shared, int count, double share) {
  double most = 0.0;
  for (int i = 0; i < count; ++i) most = shared.shares[i] > most ? shared.shares[i] : most;
  const double least = share * most;
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    if (shared.shares[i] < least) continue;
    shared.logits[kept] = shared.logits[i];
    shared.ids[kept] = shared.ids[i];
    ++kept;
  }
  return kept;
}

/// Where a number from [0, 1) falls among the probabilities.
KERN_DEVICE int find_drawn(const SamplerShared& shared, int count, double number) {
  for (int i = 0; i < count; ++i) {
    number -= shared.shares[i];
    if (number < 0.0) return i;
  }
  // Rounding left a crumb, which never goes to a token of probability 0.
  int last = count - 1;
  while (last > 0 && shared.shares[last] == 0.0) --last;
  return last;
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
  for (int i = thread_index(); i < call.count; i += sampler_threads) {
    shared.logits[i] = logit_of(call.keys[i]);
    shared.ids[i] = id_of(call.keys[i]);
  }
  if (thread_index() == 0) shared.count = call.count;
  block_barrier();
  if (chain.top_p < 1.0f || chain.min_p > 0.0f) find_weights(shared, call.count);
  if (chain.top_p < 1.0f) {
    find_shares(shared, call.count);
    if (thread_index() == 0) shared.count = first_with_share(shared, call.count, static_cast<double>(chain.top_p));
    block_barrier();
  }
  if (chain.min_p > 0.0f) {
    find_shares(shared, shared.count);
    if (thread_index() == 0) shared.count = keep_likely(shared, shared.count, static_cast<double>(chain.min_p));
    block_barrier();
  }
  const int count = shared.count;
  for (int i = thread_index(); i < count; i += sampler_threads)
    shared.logits[i] = divide(shared.logits[i], chain.temperature);
  block_barrier();
  find_weights(shared, count);
  find_shares(shared, count);
  if (thread_index() == 0) *call.token = shared.ids[find_drawn(shared, count, uniform(chain.seed, *call.position))];
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

/// Candidates that the chain begins with.
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

std::size_t sampler_bytes(const SamplingChain& chain, int vocab_size) {
  return top_keys_bytes(vocab_size, kept_keys(chain, vocab_size));
}

void launch_sample(Device& device, const SamplingChain& chain, const float* logits, int vocab_size,
                   const std::uint64_t* position, std::int32_t* token, std::byte* scratch) {
  assert(chain.runs_on_device());
  DrawToken call{};
  call.keys = launch_top_keys(device, logits, vocab_size, kept_keys(chain, vocab_size), scratch);
  call.count = first_candidates(chain, vocab_size);
  call.chain = chain;
  call.position = position;
  call.token = token;
  launch(device, draw_token, {1}, sampler_threads, sizeof(SamplerShared), call);
}

} // namespace kern::cuda
