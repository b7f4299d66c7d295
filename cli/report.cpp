#include "cli/report.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/model_file.h"
#include "cli/output.h"
#include "cli/replay_record.h"
#include "cli/signals.h"
#include "cli/terminal.h"

namespace kern {

namespace {

double rate(std::size_t count, double seconds) { return seconds > 0.0 ? static_cast<double>(count) / seconds : 0.0; }

/// Smallest value that at least `share` of the values don't exceed; 0 where there are none.
double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0.0;
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  return values[rank];
}

struct Derived {
  double prefill_rate = 0.0;   // tokens/s
  double decode_rate = 0.0;    // tokens/s
  double p50 = 0.0, p99 = 0.0; // seconds
  std::uint64_t bytes_per_token = 0;
  double gigabytes_per_second = 0.0;
};

Derived derive(const RunReport& report) {
  const GenerateResult& r = report.result;
  Derived d;
  d.prefill_rate = rate(r.prompt_tokens, r.prefill_seconds);
  d.decode_rate = rate(r.token_seconds.size(), r.decode_seconds);
  d.p50 = percentile(r.token_seconds, 0.50);
  d.p99 = percentile(r.token_seconds, 0.99);
  // The cache is read up to the position: on average the prompt and half of the answer.
  d.bytes_per_token =
      report.weight_bytes + report.cache_bytes_per_position * (report.prompt.tokens.size() + r.tokens.size() / 2);
  d.gigabytes_per_second = d.decode_rate * static_cast<double>(d.bytes_per_token) * 1e-9;
  return d;
}

std::string explain(const RunReport& report) {
  switch (report.result.reason) {
  case EndReason::end_of_generation: return "the model ended its answer";
  case EndReason::stop_string: return fmt::format("stop string \"{}\"", escape_controls(report.result.stop));
  case EndReason::length: return "all tokens asked for were given";
  case EndReason::context:
    return fmt::format("CUT: the context of {} tokens is full; raise it with -c", report.context);
  case EndReason::time: return "CUT: the time limit was reached; raise it with --max-time";
  case EndReason::interrupted: return interruption_name();
  case EndReason::closed: return "nobody reads the output";
  }
  return "";
}

nlohmann::ordered_json sampling_json(const Sampling& sampling) {
  const SamplerOptions& s = sampling.options;
  nlohmann::ordered_json json = {{"samplers", step_names(s.steps)},
                                 {"temperature", s.temperature},
                                 {"dynatemp_range", s.dynatemp_range},
                                 {"dynatemp_exponent", s.dynatemp_exponent},
                                 {"top_k", s.top_k},
                                 {"top_p", s.top_p},
                                 {"min_p", s.min_p},
                                 {"typical_p", s.typical_p},
                                 {"top_n_sigma", s.top_n_sigma},
                                 {"xtc_probability", s.xtc_probability},
                                 {"xtc_threshold", s.xtc_threshold},
                                 {"repeat_penalty", s.repeat_penalty},
                                 {"repeat_last_n", s.repeat_last_n},
                                 {"presence_penalty", s.presence_penalty},
                                 {"frequency_penalty", s.frequency_penalty},
                                 {"dry_multiplier", s.dry_multiplier},
                                 {"dry_base", s.dry_base},
                                 {"dry_allowed_length", s.dry_allowed_length},
                                 {"dry_penalty_last_n", s.dry_penalty_last_n},
                                 {"mirostat", s.mirostat},
                                 {"mirostat_entropy", s.mirostat_entropy},
                                 {"mirostat_rate", s.mirostat_rate},
                                 {"adaptive_target", s.adaptive_target},
                                 {"adaptive_decay", s.adaptive_decay}};
  if (!sampling.from_model.empty()) json["from_model"] = sampling.from_model;
  return json;
}

nlohmann::ordered_json logprobs_json(const RunReport& report) {
  const auto describe = [&](const TokenLogprob& token) {
    return nlohmann::ordered_json{{"id", token.id}, {"text", report.token_text(token.id)}, {"logprob", token.logprob}};
  };
  auto list = nlohmann::ordered_json::array();
  for (const TokenChoice& choice : report.result.choices) {
    nlohmann::ordered_json entry = describe(choice.taken);
    entry["top"] = nlohmann::ordered_json::array();
    for (const TokenLogprob& token : choice.best) entry["top"].push_back(describe(token));
    list.push_back(std::move(entry));
  }
  return list;
}

std::string dump(const nlohmann::ordered_json& json, int indent) {
  const std::string text = json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  // JSON has its own escapes for C0 controls; DEL and the C1 controls can drive a terminal too.
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == 0x7F) {
      out += "\\u007f";
    } else if (byte == 0xC2 && next >= 0x80 && next <= 0x9F) {
      out += fmt::format("\\u00{:02x}", next);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

nlohmann::ordered_json model_json(const RunReport& report) {
  return {{"path", report.model_path}, {"name", report.model_name},   {"architecture", report.architecture},
          {"format", report.format},   {"bytes", report.model_bytes}, {"fingerprint", report.model_fingerprint}};
}

} // namespace

ExitCode exit_code(EndReason reason) {
  switch (reason) {
  case EndReason::context:
  case EndReason::time: return ExitCode::cut;
  case EndReason::interrupted: return interruption_code();
  default: return ExitCode::ok;
  }
}

ExitCode exit_code(const RunReport& report) {
  const ExitCode code = exit_code(report.result.reason);
  return code == ExitCode::ok && !report.extract.empty() && !report.extracted ? ExitCode::constraint : code;
}

std::string report_table(const RunReport& report) {
  const GenerateResult& r = report.result;
  const Derived d = derive(report);
  const std::string name = report.model_name.empty() ? report.model_path : report.model_name;
  std::string out = fmt::format("model   {} ({} {}, {}), {}\n", escape_controls(name), report.architecture,
                                report.format, format_bytes(report.model_bytes), report.device);
  out += fmt::format("load    {:.3f} s\n", report.load_seconds);
  out += fmt::format("prompt  {} tokens in {:.3f} s, {:.1f} tokens/s\n", r.prompt_tokens, r.prefill_seconds,
                     d.prefill_rate);
  out += fmt::format("answer  {} tokens, first after {:.3f} s, then {:.1f} tokens/s (p50 {:.2f} ms, p99 {:.2f} ms)\n",
                     r.tokens.size(), r.first_token_seconds, d.decode_rate, d.p50 * 1e3, d.p99 * 1e3);
  out += fmt::format("read    {} a token, {:.1f} GB/s\n", format_bytes(d.bytes_per_token), d.gigabytes_per_second);
  if (!report.sampling.from_model.empty())
    out += fmt::format("draws   {} as the model file says\n", fmt::join(report.sampling.from_model, ", "));
  out += fmt::format("end     {}; seed {}\n", explain(report), report.sampling.options.seed);
  return out;
}

nlohmann::ordered_json report_json(const RunReport& report) {
  const GenerateResult& r = report.result;
  const Derived d = derive(report);
  nlohmann::ordered_json json;
  json["text"] = report.text;
  if (!report.thinking.empty()) json["thinking"] = report.thinking;
  json["reason"] = end_reason_name(r.reason);
  json["exit_code"] = static_cast<int>(exit_code(report));
  if (!report.extract.empty())
    json["extracted"] = report.extracted ? nlohmann::ordered_json(*report.extracted) : nullptr;
  if (!r.stop.empty()) json["stop"] = r.stop;
  json["prompt_tokens"] = report.prompt.tokens.size();
  json["generated_tokens"] = r.tokens.size();
  if (report.thinking_tokens > 0) json["thinking_tokens"] = report.thinking_tokens;
  json["tokens"] = r.tokens;
  json["seed"] = report.sampling.options.seed;
  json["kern"] = version();
  json["model"] = model_json(report);
  json["device"] = report.device;
  json["context"] = report.context;
  json["cache"] = {{"key_type", report.key_format}, {"value_type", report.value_format}};
  json["sampling"] = sampling_json(report.sampling);
  if (!r.choices.empty()) json["logprobs"] = logprobs_json(report);
  json["timings"] = {{"load_seconds", report.load_seconds},
                     {"prefill_seconds", r.prefill_seconds},
                     {"prefill_tokens_per_second", d.prefill_rate},
                     {"first_token_seconds", r.first_token_seconds},
                     {"decode_seconds", r.decode_seconds},
                     {"decode_tokens_per_second", d.decode_rate},
                     {"token_seconds_p50", d.p50},
                     {"token_seconds_p99", d.p99},
                     {"bytes_per_token", d.bytes_per_token},
                     {"gigabytes_per_second", d.gigabytes_per_second}};
  // What `kern replay` needs beside this.
  json["prompt_ids"] = report.prompt.tokens;
  json["end_ids"] = report.prompt.end_tokens;
  json["flags"] = report.flags;
  if (report.prompt.think.format.kind != ThinkFormat::Kind::none) json["think"] = think_json(report.prompt.think);
  return json;
}

nlohmann::ordered_json start_json(const RunReport& report) {
  return {{"event", "start"},
          {"kern", version()},
          {"model", model_json(report)},
          {"device", report.device},
          {"context", report.context},
          {"prompt_tokens", report.prompt.tokens.size()},
          {"seed", report.sampling.options.seed},
          {"sampling", sampling_json(report.sampling)}};
}

std::string dump_json(const nlohmann::ordered_json& json) { return dump(json, 2); }
std::string dump_json_line(const nlohmann::ordered_json& json) { return dump(json, -1); }

} // namespace kern
