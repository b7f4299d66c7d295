// Running kern on tiny models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tests/chain_model.h"
#include "tests/process.h"
#include "tests/temporary_folder.h"

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

ProcessResult kern(const Words& arguments, const ProcessOptions& options = {});

/// A folder with models in it.
class Models {
public:
  std::string path(const std::string& name) const;
  /// Both return the file's path.
  std::string add(const ChainModel& model, const std::string& name = "model.gguf") const;
  std::string add_bytes(std::string_view bytes, const std::string& name) const;

private:
  TemporaryFolder folder_;
};

/// `kern run -m MODEL ...` without timings.
ProcessResult answer(const std::string& model, Words arguments, const ProcessOptions& options = {});

/// The report of `kern run --json`.
nlohmann::json answer_json(const std::string& model, Words arguments, const ProcessOptions& options = {});

/// These bytes on standard input.
ProcessOptions piped(std::string bytes);

/// The demo model's file.
std::string demo();
/// A text that it predicts well.
std::string stories();

/// "Hello, world."
inline const Words hello = {"Hello", ",", " world", "."};

/// Goes on until somebody stops it.
ChainModel endless(const Words& pieces = {"round ", "and "});
Words run_endless(const std::string& model, const Words& extra = {});

bool contains(std::string_view text, std::string_view part);

} // namespace kern::test
