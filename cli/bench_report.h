// What kern bench measured, as Markdown or as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/bench_runs.h"
#include "kernels/profiled_backend.h"
#include "kernels/work.h"

namespace kern {

/// Where the time of one repetition of a test went.
struct BenchProfile {
  BenchTest test;
  double seconds = 0.0; // of the whole
  std::vector<ProfiledOperation> operations;
};

struct BenchReport {
  std::string model_path;
  std::string model_name;
  std::string architecture;
  std::string format;
  std::uint64_t model_bytes = 0;
  std::string device;
  int threads = 0;
  int vocab_size = 0;
  SessionOptions session;
  std::optional<Limits> limits;
  std::vector<BenchResult> results;
  std::vector<BenchProfile> profiles;
  bool interrupted = false;
};

/// Model, device and limits, and the head of the table.
std::string bench_head(const BenchReport& report);
/// One row of the table.
std::string bench_row(const BenchResult& result, const std::optional<Limits>& limits);
/// A table of operations.
std::string profile_table(const BenchProfile& profile, const std::optional<Limits>& limits);
nlohmann::ordered_json bench_json(const BenchReport& report);

} // namespace kern
