// Running kern on tiny models.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/chain_model.h"
#include "tests/process.h"

namespace kern::test {

using Words = std::vector<std::string>;

/// Sanitizers reserve terabytes of addresses, so a limit on them can't be tested with them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

inline ProcessResult kern(const Words& arguments, const ProcessOptions& options = {}) {
  return run_process(KERN_EXECUTABLE, arguments, options);
}

/// A folder with models in it, and kern told to use one of them.
class Models {
public:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string add(const ChainModel& model, const std::string& name = "model.gguf") const {
    write_chain_model(model, folder_ / name);
    return path(name);
  }
  std::string add_bytes(std::string_view bytes, const std::string& name) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return path(name);
  }

private:
  TemporaryFolder folder_;
};

/// `kern run -m MODEL ...` without timings.
inline ProcessResult answer(const std::string& model, Words arguments, const ProcessOptions& options = {}) {
  Words all{"run", "-q", "-m", model};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return kern(all, options);
}

/// The report of `kern run --json`.
inline nlohmann::json answer_json(const std::string& model, Words arguments, const ProcessOptions& options = {}) {
  arguments.push_back("--json");
  return nlohmann::json::parse(answer(model, std::move(arguments), options).out);
}

/// Goes on until somebody stops it.
inline ChainModel endless(const Words& pieces = {"round ", "and "}) {
  ChainModel model = answer_model(pieces, Spelling::byte_level, AnswerEnd::again);
  model.context_length = 1 << 20;
  return model;
}

inline Words run_endless(const std::string& model, const Words& extra = {}) {
  Words arguments{"run", "-m", model, "-c", "400000"};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  arguments.push_back("hi");
  return arguments;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

} // namespace kern::test
