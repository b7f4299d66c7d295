// Races the product kernels: every format on every instruction set is held to the portable result bit for bit, then
// timed on one thread. Times are the thread's own, so that other work on the machine disturbs them little.
//   kern_race [ROWS COLUMNS TOKENS] [FORMAT...]      default: 2048 2048, 1 and 120 tokens, all formats
// KERN_CPU=NAME races that instruction set alone, against itself.
#include <ctime>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/kernel_helpers.h"
#include "tests/random_blocks.h"

namespace kern {

namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The best of several runs, each at least 20 ms.
template <class Work> double best_seconds(Work&& work) {
  double best = 1e30;
  for (int run = 0; run < 5; ++run) {
    const double begin = thread_seconds();
    int count = 0;
    double passed = 0;
    do {
      work();
      ++count;
      passed = thread_seconds() - begin;
    } while (passed < 0.02);
    best = std::min(best, passed / count);
  }
  return best;
}

struct Shape {
  int rows = 2048;
  int columns = 2048;
  int tokens = 0; // 0: 1 and 120
};

double peak(std::int64_t (*saturate)(std::int64_t)) {
  std::int64_t operations = 0;
  const double seconds = best_seconds([&] { operations = saturate(100000); });
  return static_cast<double>(operations) / seconds;
}

template <class Traits> void race(const Shape& shape, int tokens) {
  const auto rows = static_cast<std::size_t>(shape.rows);
  std::vector<std::byte> weights(row_bytes(Traits::id, static_cast<std::size_t>(shape.columns)) * rows);
  test::RandomBits random(1);
  test::fill_random<Traits>(std::span(reinterpret_cast<typename Traits::Block*>(weights.data()),
                                      weights.size() / sizeof(typename Traits::Block)),
                            0.05f, random);
  auto x = random_floats(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(shape.columns), 2);
  std::vector<float> expected;
  for (const CpuKernels* kernels : kernel_tables()) {
    const char* only = std::getenv("KERN_CPU");
    if (only && std::string(only) != kernels->name) continue;
    CpuBackend backend(1, *kernels);
    StepLimits limits;
    limits.tokens = tokens;
    limits.columns = shape.columns;
    backend.reserve(limits);
    const auto weight = backend.bind({"race", Traits::id, shape.rows, shape.columns, weights}, WeightUse::matrix);
    std::vector<float> out(rows * static_cast<std::size_t>(tokens));
    const auto run = [&] {
      backend.matmul(*weight, {x.data(), tokens, shape.columns}, {out.data(), tokens, shape.rows});
    };
    run();
    if (expected.empty()) expected = out;
    const bool equal = same_bits(out, expected);
    const double seconds = best_seconds(run);
    const double operations = static_cast<double>(rows) * shape.columns * tokens;
    const double limit = peak(Traits::is_float ? kernels->saturate_fp32 : kernels->saturate_int8);
    std::printf("%-8s %-9s %4d tokens %9.1f us %8.1f G mul-add/s (%3.0f%% of %4.0f) %6.1f GB/s of weights  %s\n",
                Traits::name, kernels->name, tokens, seconds * 1e6, operations / seconds * 1e-9,
                100 * operations / seconds / limit, limit * 1e-9, static_cast<double>(weights.size()) / seconds * 1e-9,
                equal ? "same bits" : "DIFFERS");
  }
}

} // namespace

} // namespace kern

int main(int count, char** arguments) {
  kern::Shape shape;
  int next = 1;
  if (count >= 4 && std::atoi(arguments[1]) > 0) {
    shape = {std::atoi(arguments[1]), std::atoi(arguments[2]), std::atoi(arguments[3])};
    next = 4;
  }
  const std::vector<std::string> wanted(arguments + next, arguments + count);
  kern::for_each_format([&]<class Traits>(Traits) {
    if (!wanted.empty() && std::ranges::find(wanted, Traits::name) == wanted.end()) return;
    if (shape.tokens) return kern::race<Traits>(shape, shape.tokens);
    for (const int tokens : {1, 120}) kern::race<Traits>(shape, tokens);
  });
}
