// Draws from a whole vocabulary, or from more of it than a block can sort: without a top-k, or with a large one.
//
// Top-k, top-p and the draw itself are one question: which candidate, of those in order, carries a sum of likelihoods
// (for top-k of ones) beyond a given number? Likelihoods are whole numbers, so nothing needs to be sorted to answer it:
// a candidate's place in the order is a rank of 54 bits, and the one looked for is found digit by digit, of 11 bits
// each, by adding up the likelihoods of all candidates that have a digit. Top-p's answer is where candidates end for
// the draw. Without top-k and top-p candidates stand in the order of their ids, and two digits tell them apart.
#include "kernels/cuda/vocabulary_draw.h"

#include "kernels/cuda/device.h"
#include "kernels/cuda/top_keys.h"
#include "kernels/random.h"

namespace kern::cuda {

namespace {

constexpr int search_threads = 256;
constexpr int block_logits = 1024;
constexpr int digit_bits = 11;
constexpr int digit_values = 1 << digit_bits;
constexpr int digits = 5;
constexpr int id_digits = 2;
constexpr std::uint64_t last_id = most_drawn_vocabulary - 1;
static_assert(most_drawn_vocabulary == 1 << (id_digits * digit_bits));

enum class Question { top_k, top_p, draw };
constexpr int questions = 3;

/// What is known of the candidate looked for.
struct Place {
  std::uint64_t rank;   // its first digits; the others are 0
  std::uint64_t wanted; // beyond which the candidates that have these digits carry their sum with it
};

struct Search {
  std::uint64_t sum;                            // of all likelihoods
  Place places[digits];                         // before each digit was known
  std::uint64_t by_digit[digits][digit_values]; // sums of the candidates whose digits before are the place's
};

struct SearchShared {
  std::uint64_t sums[search_threads];
  std::uint64_t by_digit[digit_values];
  Place place;
};

struct VocabularyDraw {
  const float* logits; // [count]
  int count;
  const std::uint64_t* greatest; // key
  SamplingChain chain;
  bool by_likelihood;         // how candidates are ordered: most likely first, or by their ids
  std::uint64_t* likelihoods; // [count], 0 for those that are no candidates
  Search* search;
  const Search* cut; // whose answer is the last candidate; null: all are
  Question question;
  int digit;
  const std::uint64_t* position;
  std::int32_t* token;
};

KERN_DEVICE int shift_of(int digit) { return (digits - 1 - digit) * digit_bits; }

/// Greater for those that come first.
KERN_DEVICE std::uint64_t rank_of(const VocabularyDraw& call, int id) {
  const std::uint64_t by_id = last_id - static_cast<std::uint64_t>(id);
  return call.by_likelihood ? key_of(call.logits[id], id) >> 32 << (id_digits * digit_bits) | by_id : by_id;
}

/// sums[i] becomes the sum of sums[0..i].
KERN_DEVICE void add_up(std::uint64_t (&sums)[search_threads]) {
  const int thread = thread_index();
  for (int distance = 1; distance < search_threads; distance *= 2) {
    const std::uint64_t before = thread >= distance ? sums[thread - distance] : 0;
    block_barrier();
    sums[thread] += before;
    block_barrier();
  }
}

/// The place once its digit `digit` is known: the first digit, from the greatest, whose candidates carry the sum beyond
/// what is wanted. Once in a kernel, by all threads of a block.
KERN_DEVICE Place next_place(SearchShared& shared, const Search& search, int digit) {
  constexpr int values = digit_values / search_threads; // of a thread
  const Place place = search.places[digit];
  const int greatest = digit_values - 1 - thread_index() * values;
  const std::uint64_t* by_digit = search.by_digit[digit];
  std::uint64_t own = 0;
  for (int n = 0; n < values; ++n) own += by_digit[greatest - n];
  shared.sums[thread_index()] = own;
  if (thread_index() == 0) shared.place = place;
  block_barrier();
  add_up(shared.sums);
  std::uint64_t before = shared.sums[thread_index()] - own;
  if (before <= place.wanted && place.wanted - before < own) {
    int value = greatest;
    for (; before + by_digit[value] <= place.wanted; --value) before += by_digit[value];
    shared.place = {place.rank | static_cast<std::uint64_t>(value) << shift_of(digit), place.wanted - before};
  }
  block_barrier();
  return shared.place;
}

KERN_DEVICE Place first_place(const VocabularyDraw& call) {
  const std::uint64_t sum = call.search->sum;
  switch (call.question) {
  case Question::top_k: return {0, static_cast<std::uint64_t>(call.chain.top_k - 1)};
  case Question::top_p: return {0, share_of_sum(sum, call.chain.top_p)};
  case Question::draw: break;
  }
  return {0, draw_from_sum(sum, uniform(call.chain.seed, *call.position))};
}

/// What a candidate counts in the question.
KERN_DEVICE std::uint64_t count_of(const VocabularyDraw& call, float logit, float greatest) {
  if (call.question == Question::top_k) return 1;
  if (call.question == Question::top_p) return likelihood(logit, greatest);
  const SamplingChain& chain = call.chain;
  if (chain.min_p > 0.0f && !is_likely(likelihood(logit, greatest), chain.min_p)) return 0;
  return likelihood(divide(logit, chain.temperature), divide(greatest, chain.temperature));
}

/// Sets the likelihoods and adds them to the search's sum.
__global__ void __launch_bounds__(search_threads) set_likelihoods(VocabularyDraw call) {
  wait_for_inputs();
  auto& shared = shared_memory<SearchShared>();
  const std::uint64_t last = call.cut ? next_place(shared, *call.cut, digits - 1).rank : 0;
  const float greatest = logit_of(*call.greatest);
  std::uint64_t sum = 0;
  for (int n = thread_index(); n < block_logits; n += search_threads) {
    const int id = block_x() * block_logits + n;
    if (id >= call.count) break;
    const std::uint64_t counts = rank_of(call, id) >= last ? count_of(call, call.logits[id], greatest) : 0;
    call.likelihoods[id] = counts;
    sum += counts;
  }
  shared.sums[thread_index()] = sum;
  block_barrier();
  add_up(shared.sums);
  if (thread_index() == 0) atomic_add(&call.search->sum, shared.sums[search_threads - 1]);
}

/// Adds the likelihoods up by the digit.
__global__ void __launch_bounds__(search_threads) add_by_digit(VocabularyDraw call) {
  wait_for_inputs();
  auto& shared = shared_memory<SearchShared>();
  const bool is_first = call.digit == (call.by_likelihood ? 0 : digits - id_digits);
  const Place place = is_first ? first_place(call) : next_place(shared, *call.search, call.digit - 1);
  if (block_x() == 0 && thread_index() == 0) call.search->places[call.digit] = place;
  for (int i = thread_index(); i < digit_values; i += search_threads) shared.by_digit[i] = 0;
  block_barrier();
  const int shift = shift_of(call.digit);
  for (int n = thread_index(); n < block_logits; n += search_threads) {
    const int id = block_x() * block_logits + n;
    if (id >= call.count) break;
    const std::uint64_t rank = rank_of(call, id);
    if (call.likelihoods[id] == 0 || (rank ^ place.rank) >> (shift + digit_bits) != 0) continue;
    atomic_add(&shared.by_digit[rank >> shift & (digit_values - 1)], call.likelihoods[id]);
  }
  block_barrier();
  for (int i = thread_index(); i < digit_values; i += search_threads)
    if (shared.by_digit[i] != 0) atomic_add(&call.search->by_digit[call.digit][i], shared.by_digit[i]);
}

/// One block.
__global__ void __launch_bounds__(search_threads) write_drawn(VocabularyDraw call) {
  wait_for_inputs();
  const Place place = next_place(shared_memory<SearchShared>(), *call.search, digits - 1);
  if (thread_index() == 0) *call.token = static_cast<std::int32_t>(last_id - (place.rank & last_id));
}

Grid logit_blocks(int vocab_size) { return {static_cast<unsigned>((vocab_size + block_logits - 1) / block_logits)}; }

/// Leaves the answer's last digit to whoever asks next_place() for it.
void launch_search(Device& device, VocabularyDraw& call, Question question) {
  call.question = question;
  launch(device, set_likelihoods, logit_blocks(call.count), search_threads, sizeof(SearchShared), call);
  for (call.digit = call.by_likelihood ? 0 : digits - id_digits; call.digit < digits; ++call.digit)
    launch(device, add_by_digit, logit_blocks(call.count), search_threads, sizeof(SearchShared), call);
  call.cut = call.search;
  ++call.search;
}

} // namespace

std::size_t vocabulary_draw_bytes(int vocab_size) {
  return questions * sizeof(Search) + static_cast<std::size_t>(vocab_size) * sizeof(std::uint64_t) +
         top_keys_bytes(vocab_size, 1);
}

void launch_vocabulary_draw(Device& device, const SamplingChain& chain, const float* logits, int vocab_size,
                            const std::uint64_t* position, std::int32_t* token, std::byte* scratch) {
  VocabularyDraw call{};
  call.search = reinterpret_cast<Search*>(scratch);
  call.likelihoods = reinterpret_cast<std::uint64_t*>(call.search + questions);
  call.greatest =
      launch_top_keys(device, logits, vocab_size, 1, reinterpret_cast<std::byte*>(call.likelihoods + vocab_size));
  device.clear(scratch, questions * sizeof(Search));
  call.logits = logits;
  call.count = vocab_size;
  call.chain = chain;
  call.by_likelihood = chain.top_k > 0 || chain.top_p < 1.0f;
  call.position = position;
  call.token = token;
  if (chain.top_k > 0 && chain.top_k < vocab_size) launch_search(device, call, Question::top_k);
  if (chain.top_p < 1.0f) launch_search(device, call, Question::top_p);
  launch_search(device, call, Question::draw);
  --call.search;
  launch(device, write_drawn, {1}, search_threads, sizeof(SearchShared), call);
}

} // namespace kern::cuda
