#include "engine/logprobs.h"

#include <algorithm>
#include <numeric>

#include "kernels/math.h"

namespace kern {

TokenChoice describe_choice(std::span<const float> logits, std::int32_t taken, std::size_t best) {
  const auto top = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0.0;
  for (const float logit : logits) {
    const double difference = static_cast<double>(logit) - top;
    if (difference > -700.0) sum += exp_f64(difference);
  }
  const double log_sum = log_f64(sum);
  const auto describe = [&](std::int32_t id) {
    return TokenLogprob{id, static_cast<double>(logits[static_cast<std::size_t>(id)]) - top - log_sum};
  };
  TokenChoice choice{describe(taken), {}};
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const std::size_t wanted = std::min(best, order.size());
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(wanted),
                            [&](std::int32_t a, std::int32_t b) {
                              const float x = logits[static_cast<std::size_t>(a)];
                              const float y = logits[static_cast<std::size_t>(b)];
                              return x > y || (x == y && a < b);
                            });
  for (std::size_t i = 0; i < wanted; ++i) choice.best.push_back(describe(order[i]));
  return choice;
}

} // namespace kern
