#include "cli/bench_report.h"

#include <fmt/format.h>

#include "cli/model_file.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace kern {

namespace {

using Json = nlohmann::ordered_json;

/// "read 62%": the limit that binds the work, and how much of it was reached; a dash where that isn't known.
std::string share_text(const Work& work, double seconds, const std::optional<Limits>& limits) {
  const Bound bound = limits ? least_time(work, *limits) : Bound{};
  if (bound.seconds == 0.0 || seconds == 0.0) return "-";
  return fmt::format("{} {:.0f}%", bound.name, 100.0 * bound.seconds / seconds);
}

Json share_json(const Work& work, double seconds, const std::optional<Limits>& limits) {
  const Bound bound = limits ? least_time(work, *limits) : Bound{};
  if (bound.seconds == 0.0 || seconds == 0.0) return nullptr;
  return {{"name", bound.name}, {"share", bound.seconds / seconds}};
}

Json test_json(const BenchTest& test) {
  return {{"test", test.name()},
          {"kind", test.kind == BenchKind::prefill ? "prefill" : "decode"},
          {"tokens", test.tokens},
          {"depth", test.depth}};
}

Json result_json(const BenchResult& result, const std::optional<Limits>& limits) {
  const std::vector<double> rates = result.rates();
  const Statistics rate = statistics(rates);
  Json json = test_json(result.test);
  json["samples_seconds"] = result.seconds;
  json["samples_tokens_per_second"] = rates;
  json["mean_tokens_per_second"] = rate.mean;
  json["deviation_tokens_per_second"] = rate.deviation;
  json["median_tokens_per_second"] = rate.median;
  json["bytes_per_token"] = result.work_share(result.work.bytes());
  json["multiply_adds_per_token"] = result.work_share(result.work.multiply_adds());
  json["limit"] = share_json(result.work, statistics(result.seconds).median, limits);
  return json;
}

Json profile_json(const BenchProfile& profile, const std::optional<Limits>& limits) {
  Json json = test_json(profile.test);
  json["seconds"] = profile.seconds;
  json["operations"] = Json::array();
  for (const ProfiledOperation& operation : profile.operations)
    json["operations"].push_back({{"name", operation.name},
                                  {"calls", operation.calls},
                                  {"seconds", operation.seconds},
                                  {"weight_bytes", operation.work.weight_bytes},
                                  {"cache_bytes", operation.work.cache_bytes},
                                  {"int8_multiply_adds", operation.work.int8_multiply_adds},
                                  {"fp32_multiply_adds", operation.work.fp32_multiply_adds},
                                  {"limit", share_json(operation.work, operation.seconds, limits)}});
  return json;
}

} // namespace

std::string bench_head(const BenchReport& report) {
  const std::string& name = report.model_name.empty() ? report.model_path : report.model_name;
  std::string out = fmt::format("{} ({} {}, {}), {}; cache {}/{}, -ub {}\n", escape_controls(name), report.architecture,
                                report.format, format_bytes(report.model_bytes), report.device,
                                cache_type_name(report.session.key_format),
                                cache_type_name(report.session.value_format), report.session.step_tokens);
  if (report.limits) {
    out += fmt::format("\nlimits: read {:.1f} GB/s, int8 {:.0f} G multiply-adds/s, fp32 {:.0f} G multiply-adds/s",
                       report.limits->read_bytes * 1e-9, report.limits->int8_multiply_adds * 1e-9,
                       report.limits->fp32_multiply_adds * 1e-9);
    if (report.limits->half_multiply_adds > 0.0)
      out += fmt::format(", 16-bit {:.0f} G multiply-adds/s", report.limits->half_multiply_adds * 1e-9);
    out += "\n";
  }
  out += fmt::format("\n| {:<16} | {:>19} | {:>9} | {:>10} | {:>18} | {:>9} |\n", "test", "tokens/s", "median",
                     "MB a token", "M mul-adds a token", "limit");
  return out + fmt::format("| {:-<16} | {:->18}: | {:->8}: | {:->9}: | {:->17}: | {:->8}: |\n", "", "", "", "", "", "");
}

std::string bench_row(const BenchResult& result, const std::optional<Limits>& limits) {
  const Statistics rate = statistics(result.rates());
  return fmt::format("| {:<16} | {:>19} | {:>9.2f} | {:>10.2f} | {:>18.1f} | {:>9} |\n", result.test.name(),
                     fmt::format("{:.2f} ± {:.2f}", rate.mean, rate.deviation), rate.median,
                     result.work_share(result.work.bytes()) * 1e-6,
                     result.work_share(result.work.multiply_adds()) * 1e-6,
                     share_text(result.work, statistics(result.seconds).median, limits));
}

std::string profile_table(const BenchProfile& profile, const std::optional<Limits>& limits) {
  std::size_t width = 0;
  for (const ProfiledOperation& operation : profile.operations) width = std::max(width, operation.name.size());
  std::string out = fmt::format("\n| {:<{}} | {:>6} | {:>9} | {:>6} | {:>9} | {:>10} | {:>9} |\n", profile.test.name(),
                                width, "calls", "ms", "time", "MB", "M mul-adds", "limit");
  out += fmt::format("| {:-<{}} | {:->5}: | {:->8}: | {:->5}: | {:->8}: | {:->9}: | {:->8}: |\n", "", width, "", "", "",
                     "", "", "");
  const auto row = [&](const std::string& name, const std::string& calls, double seconds, const Work& work) {
    out += fmt::format("| {:<{}} | {:>6} | {:>9.3f} | {:>5.1f}% | {:>9.2f} | {:>10.1f} | {:>9} |\n", name, width, calls,
                       seconds * 1e3, 100.0 * seconds / profile.seconds, static_cast<double>(work.bytes()) * 1e-6,
                       static_cast<double>(work.multiply_adds()) * 1e-6, share_text(work, seconds, limits));
  };
  double inside = 0.0;
  Work total;
  for (const ProfiledOperation& operation : profile.operations) {
    row(operation.name, fmt::format("{}", operation.calls), operation.seconds, operation.work);
    inside += operation.seconds;
    total += operation.work;
  }
  row("between them", "", profile.seconds - inside, {});
  row("all", "", profile.seconds, total);
  return out;
}

nlohmann::ordered_json bench_json(const BenchReport& report) {
  Json json;
  json["kern"] = version();
  json["model"] = {{"path", report.model_path},
                   {"name", report.model_name},
                   {"architecture", report.architecture},
                   {"format", report.format},
                   {"bytes", report.model_bytes}};
  json["device"] = report.device;
  json["threads"] = report.threads;
  json["vocab_size"] = report.vocab_size;
  json["context"] = report.session.context;
  json["step_tokens"] = report.session.step_tokens;
  json["cache"] = {{"key_type", cache_type_name(report.session.key_format)},
                   {"value_type", cache_type_name(report.session.value_format)}};
  json["limits"] = nullptr;
  if (report.limits)
    json["limits"] = {{"read_bytes_per_second", report.limits->read_bytes},
                      {"int8_multiply_adds_per_second", report.limits->int8_multiply_adds},
                      {"fp32_multiply_adds_per_second", report.limits->fp32_multiply_adds},
                      {"half_multiply_adds_per_second", report.limits->half_multiply_adds}};
  json["tests"] = Json::array();
  for (const BenchResult& result : report.results) json["tests"].push_back(result_json(result, report.limits));
  if (!report.profiles.empty()) json["profiles"] = Json::array();
  for (const BenchProfile& profile : report.profiles) json["profiles"].push_back(profile_json(profile, report.limits));
  json["interrupted"] = report.interrupted;
  return json;
}

} // namespace kern
