#include "cli/bench_runs.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "cli/signals.h"
#include "kernels/random.h"

namespace kern {

std::string BenchTest::name() const {
  const std::string test = fmt::format("{}{}", kind == BenchKind::prefill ? "pp" : "tg", tokens);
  return depth ? fmt::format("{} @ d{}", test, depth) : test;
}

std::vector<BenchTest> list_tests(const std::vector<int>& prompts, const std::vector<int>& generated,
                                  const std::vector<int>& depths) {
  std::vector<BenchTest> tests;
  for (const int depth : depths) {
    for (const int tokens : prompts) tests.push_back({BenchKind::prefill, tokens, depth});
    for (const int tokens : generated) tests.push_back({BenchKind::decode, tokens, depth});
  }
  return tests;
}

std::int64_t longest_test(const std::vector<BenchTest>& tests) {
  std::int64_t longest = 0;
  for (const BenchTest& test : tests) longest = std::max(longest, std::int64_t{test.depth} + test.tokens);
  return longest;
}

std::vector<double> BenchResult::rates() const {
  std::vector<double> rates;
  for (const double each : seconds) rates.push_back(test.tokens / each);
  return rates;
}

Statistics statistics(std::vector<double> values) {
  Statistics result;
  if (values.empty()) return result;
  const auto count = static_cast<double>(values.size());
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0.0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  if (values.size() > 1) result.deviation = std::sqrt(squares / (count - 1.0));
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  result.median = values.size() % 2 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
  return result;
}

Work test_work(const Model& model, const SessionOptions& options, const BenchTest& test) {
  const CacheFormats cache{options.key_format, options.value_format};
  const bool prefill = test.kind == BenchKind::prefill;
  Work work;
  for (int done = 0; done < test.tokens;) {
    const int count = prefill ? std::min(options.step_tokens, test.tokens - done) : 1;
    const bool wants_logits = !prefill || done + count == test.tokens;
    work += step_work(model, cache, test.depth + done, count, wants_logits ? 1 : 0);
    done += count;
  }
  return work;
}

BenchRunner::BenchRunner(const Model& model, Session& session, int step_tokens)
    : session_(session), step_tokens_(step_tokens) {
  constexpr std::uint64_t seed = 1;
  const int vocab_size = model.spec().vocab_size;
  for (int position = 0; position < session.context(); ++position)
    tokens_.push_back(static_cast<std::int32_t>(uniform(seed, static_cast<std::uint64_t>(position)) * vocab_size));
}

bool BenchRunner::reach(int position) {
  const int begin = session_.rollback(std::min(position, session_.position()));
  return begin == position || take({BenchKind::prefill, position - begin, begin});
}

bool BenchRunner::take(const BenchTest& test) {
  if (interrupted()) return false; // a prompt of one step is done before anybody asks
  const auto tokens =
      std::span(tokens_).subspan(static_cast<std::size_t>(test.depth), static_cast<std::size_t>(test.tokens));
  if (test.kind == BenchKind::prefill)
    return session_.prefill(tokens, [](std::size_t, std::size_t) { return !interrupted(); }) == tokens.size();
  for (const std::int32_t token : tokens) {
    if (interrupted()) return false;
    session_.decode(token);
    session_.finish();
  }
  return true;
}

bool BenchRunner::warm_up(const BenchTest& test) {
  BenchTest part = test;
  part.tokens = test.kind == BenchKind::prefill ? std::min(test.tokens, step_tokens_) : 1;
  return run(part).has_value();
}

std::optional<double> BenchRunner::run(const BenchTest& test) {
  if (!reach(test.depth)) return std::nullopt;
  const auto begin = std::chrono::steady_clock::now();
  if (!take(test)) return std::nullopt;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace kern
