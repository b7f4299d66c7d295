#include "cli/perplexity_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/report.h"

namespace kern {

namespace {

std::string line(const char* name, const Estimate& estimate, int digits, const std::string& rest = "") {
  return fmt::format("{:<13} {}{}\n", name, figure(estimate, digits), rest);
}

Estimate percent(const Estimate& share) { return {100.0 * share.value, 100.0 * share.error}; }

nlohmann::ordered_json json_of(const Estimate& estimate) {
  return {{"value", estimate.value}, {"error", estimate.error}};
}

} // namespace

std::string figure(const Estimate& estimate, int digits) {
  return fmt::format("{:.{}f} +/- {:.{}f}", estimate.value, digits, estimate.error, digits);
}

std::string divergence_lines(const Comparison::Summary& summary) {
  std::string out = line("ln(ratio)", summary.log_ratio, 6);
  out += line("divergence", summary.divergence, 6,
              fmt::format("  (KL in nats; median {:.6f}, 99% {:.6f}, most {:.6f})", summary.median,
                          summary.worst_percent, summary.most));
  out += line("same top", percent(summary.same_top), 3, " %");
  out += line(
      "probability", percent(summary.probability_change), 3,
      fmt::format(" %  (of the text's tokens, less the base's; rms {:.3f} %)", 100.0 * summary.probability_change_rms));
  return out;
}

std::string perplexity_table(const PerplexityResult& result, const TextChunks& text) {
  std::string out = line("perplexity", perplexity(result.nll), 4,
                         fmt::format("  ({} tokens, the second halves of {} chunks of {})", result.nll.count(),
                                     result.chunks, text.length));
  if (result.comparison.tokens() == 0) return out;
  const Comparison::Summary summary = result.comparison.summary();
  out += line("base", summary.base_perplexity, 4);
  return out + divergence_lines(summary);
}

std::string perplexity_json(const PerplexityResult& result, const TextChunks& text, bool whole) {
  nlohmann::ordered_json json;
  json["perplexity"] = json_of(perplexity(result.nll));
  json["tokens"] = result.nll.count();
  json["chunks"] = result.chunks;
  json["chunk_tokens"] = text.length;
  json["whole"] = whole;
  if (result.comparison.tokens() > 0) {
    const Comparison::Summary summary = result.comparison.summary();
    json["base_perplexity"] = json_of(summary.base_perplexity);
    json["log_ratio"] = json_of(summary.log_ratio);
    nlohmann::ordered_json divergence = json_of(summary.divergence);
    divergence["median"] = summary.median;
    divergence["99%"] = summary.worst_percent;
    divergence["most"] = summary.most;
    json["divergence"] = divergence;
    json["same_top"] = json_of(summary.same_top);
    nlohmann::ordered_json change = json_of(summary.probability_change);
    change["rms"] = summary.probability_change_rms;
    json["probability_change"] = change;
  }
  return dump_json(json);
}

} // namespace kern
