// What a report says of a run, read back to run it again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/prompt.h"
#include "engine/generate.h"

namespace kern {

nlohmann::ordered_json think_json(const ThinkPlan& plan);

struct ReplayRecord {
  std::string model_path;
  std::string fingerprint;
  Prompt prompt;
  std::vector<std::string> flags; // of the answer
  std::uint64_t seed = 0;
  int context = 0;
  std::string key_type, value_type;
  bool cut_from_outside = false; // by time or a signal: that much is run again
  std::vector<Token> tokens;
  std::string text;
  std::string thinking;
};

/// Reads what report_json() writes; `name` stands in messages. Throws Error(usage).
ReplayRecord read_record(std::string_view json, const std::string& name);

} // namespace kern
