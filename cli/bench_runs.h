// The measurements of kern bench: prompts and generated tokens, timed at a position of the context.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/session.h"
#include "model/step_work.h"

namespace kern {

enum class BenchKind { prefill, decode };

struct BenchTest {
  BenchKind kind = BenchKind::prefill;
  int tokens = 0;
  int depth = 0; // positions before the first of them

  /// As llama-bench names it: "pp512", "tg128 @ d4096".
  std::string name() const;
};

/// Prompts first, at the first depth, then at the next.
std::vector<BenchTest> list_tests(const std::vector<int>& prompts, const std::vector<int>& generated,
                                  const std::vector<int>& depths);
/// Positions the longest of them reaches.
std::int64_t longest_test(const std::vector<BenchTest>& tests);

struct BenchResult {
  BenchTest test;
  std::vector<double> seconds; // of each repetition
  Work work;                   // of one repetition

  double work_share(std::uint64_t amount) const { return static_cast<double>(amount) / test.tokens; }
  std::vector<double> rates() const; // tokens/s of each repetition
};

/// Of several repetitions.
struct Statistics {
  double mean = 0.0;
  double deviation = 0.0; // of the sample; 0 where there is one value
  double median = 0.0;
};
Statistics statistics(std::vector<double> values);

/// What a test has to do at least, step by step.
Work test_work(const Model& model, const SessionOptions& options, const BenchTest& test);

/// Runs tests on one session. The token at a position is always the same one, so that what is in the cache before a
/// test's depth serves the next test too.
class BenchRunner {
public:
  BenchRunner(const Model& model, Session& session, int step_tokens);

  /// Brings the session to the test's depth and runs a part of the test: a step of a prompt, or one token. False where
  /// Ctrl-C came.
  bool warm_up(const BenchTest& test);
  /// Brings the session to the test's depth, runs the test there and returns the seconds that took; nothing where
  /// Ctrl-C came.
  std::optional<double> run(const BenchTest& test);
  /// False where Ctrl-C came.
  bool reach(int position);

private:
  bool take(const BenchTest& test);

  Session& session_;
  int step_tokens_;
  std::vector<std::int32_t> tokens_; // [context]
};

} // namespace kern
