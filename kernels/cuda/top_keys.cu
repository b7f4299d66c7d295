// The most likely of many logits, in order. A logit and its id make one 64-bit key whose order is the sampler's, so
// that the result doesn't depend on how the work is divided.
//
// A block sorts runs of as many as are kept, then keeps the better of every two until one run is left: 4096 keys in 32
// KB of shared memory. Blocks' results are keys of the next round; 262144 logits and up to 64 of them take two.
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/top_keys.h"
#include "kernels/sampling.h"

namespace kern::cuda {

namespace {

constexpr int key_threads = 512;
constexpr int block_keys = 4096;
static_assert(most_top_k * 4 <= block_keys);

struct SelectTop {
  const float* logits;       // [count], or null:
  const std::uint64_t* keys; // [count]
  int count;
  int kept;           // a power of two
  std::uint64_t* out; // [blocks][kept]
};

/// Exchanges two keys so that the greater is first, or second.
KERN_DEVICE void order_keys(std::uint64_t* keys, int first, int second, bool greater_first) {
  const std::uint64_t a = keys[first];
  const std::uint64_t b = keys[second];
  if ((a > b) == greater_first) return;
  keys[first] = b;
  keys[second] = a;
}

/// One step of a bitonic network over `count` keys: pairs at `stride`, in runs of `run` that are descending and
/// ascending in turns (Batcher, Sorting networks and their applications, 1968).
KERN_DEVICE void order_pairs(std::uint64_t* keys, int count, int run, int stride) {
  for (int i = thread_index(); i < count / 2; i += key_threads) {
    const int first = 2 * i - (i & (stride - 1));
    order_keys(keys, first, first + stride, (first & run) == 0);
  }
  block_barrier();
}

/// The better halves of every two neighbouring runs, the first descending and the second ascending, become one run.
KERN_DEVICE void keep_better(std::uint64_t* keys, int count, int run) {
  constexpr int most = block_keys / 2 / key_threads;
  std::uint64_t better[most];
  KERN_UNROLL
  for (int n = 0; n < most; ++n) {
    const int i = n * key_threads + thread_index();
    const int first = 2 * i - (i & (run - 1));
    if (i < count / 2) better[n] = keys[first] > keys[first + run] ? keys[first] : keys[first + run];
  }
  block_barrier();
  KERN_UNROLL
  for (int n = 0; n < most; ++n) {
    const int i = n * key_threads + thread_index();
    if (i < count / 2) keys[i] = better[n];
  }
  block_barrier();
}

__global__ void __launch_bounds__(key_threads) select_top(SelectTop call) {
  wait_for_inputs();
  auto* keys = &shared_memory<std::uint64_t>();
  const int begin = block_x() * block_keys;
  for (int i = thread_index(); i < block_keys; i += key_threads) {
    std::uint64_t key = 0; // behind all others
    if (begin + i < call.count) key = call.logits ? key_of(call.logits[begin + i], begin + i) : call.keys[begin + i];
    keys[i] = key;
  }
  block_barrier();
  for (int run = 2; run <= call.kept; run *= 2)
    for (int stride = run / 2; stride >= 1; stride /= 2) order_pairs(keys, block_keys, run, stride);
  for (int count = block_keys; count > call.kept; count /= 2) {
    keep_better(keys, count, call.kept);
    for (int stride = call.kept / 2; stride >= 1; stride /= 2) order_pairs(keys, count / 2, call.kept, stride);
  }
  for (int i = thread_index(); i < call.kept; i += key_threads)
    call.out[static_cast<std::int64_t>(block_x()) * call.kept + i] = keys[i];
}

int blocks_for(int count) { return (count + block_keys - 1) / block_keys; }

} // namespace

std::size_t top_keys_bytes(int count, int kept) {
  const int first = blocks_for(count) * kept;
  return static_cast<std::size_t>(first + blocks_for(first) * kept) * sizeof(std::uint64_t);
}

const std::uint64_t* launch_top_keys(Device& device, const float* logits, int count, int kept, std::byte* scratch) {
  auto* out = reinterpret_cast<std::uint64_t*>(scratch);
  auto* other = out + static_cast<std::ptrdiff_t>(blocks_for(count)) * kept;
  SelectTop call{logits, nullptr, count, kept, out};
  for (;;) {
    const int blocks = blocks_for(call.count);
    launch(device, select_top, {static_cast<unsigned>(blocks)}, key_threads, block_keys * sizeof(std::uint64_t), call);
    if (blocks == 1) return call.out;
    std::uint64_t* const done = call.out;
    call = {nullptr, done, blocks * kept, kept, done == out ? other : out};
  }
}

} // namespace kern::cuda
