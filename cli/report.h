// What a generation was, as a table on standard error or as JSON.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/prompt.h"
#include "cli/sampler_flags.h"
#include "engine/generate.h"
#include "model/error.h"
#include "model/gguf.h"

namespace kern {

struct RunReport {
  std::string model_path;
  std::string model_name;
  std::string architecture;
  std::string format;
  std::uint64_t model_bytes = 0;
  std::string model_fingerprint;
  std::string device;
  int context = 0;
  std::string key_format;
  std::string value_format;
  Prompt prompt;
  std::vector<std::string> flags; // of the answer, see answer_flags()
  std::uint64_t weight_bytes = 0; // read for every token
  std::uint64_t cache_bytes_per_position = 0;
  double load_seconds = 0.0;
  Sampling sampling;
  GenerateResult result;
  std::string text;
  std::string thinking;
  int thinking_tokens = 0;
  std::string extract; // --extract; empty: not asked for
  std::optional<std::string> extracted;
  std::function<std::string(Token)> token_text; // needed where the result has choices
};

/// What the process says to its shell about the end of a generation.
ExitCode exit_code(EndReason reason);
/// The same, with what was asked of the answer.
ExitCode exit_code(const RunReport& report);

/// The table. Where the answer was cut, its last line says why and what to do.
std::string report_table(const RunReport& report);
nlohmann::ordered_json report_json(const RunReport& report);
/// What is known before the first token.
nlohmann::ordered_json start_json(const RunReport& report);
/// With invalid UTF-8 replaced and every control character escaped, indented, newline at the end.
std::string dump_json(const nlohmann::ordered_json& json);
/// The same on one line.
std::string dump_json_line(const nlohmann::ordered_json& json);

} // namespace kern
