// One answer of one model, from loaded headers to a report: what `kern run` does with a prompt, and `kern replay`
// again.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer_stream.h"
#include "cli/loaded_model.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/signals.h"

namespace kern {

struct RunFlags {
  ModelFlags model;
  ContextFlags context;
  PromptFlags prompt;
  TemplateFlags chat;
  GenerationFlags generation;
  std::optional<std::string> session;
  const CLI::App* app = nullptr; // what they were parsed by
};

/// Declares all of them.
void add_run_flags(CLI::App& app, RunFlags& flags);

/// The flags of the answer that were given, as "--top-k=5": with the prompt's ids, the seed and the model they make the
/// same answer.
std::vector<std::string> answer_flags(const CLI::App& app);

struct RunInput {
  const LoadedModel& loaded;
  Prompt prompt;
  int context = 0; // positions; the prompt fits
  Shown shown = Shown::all;
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now(); // of the load
};

/// Streams the answer to where `shown` says. `gentle_end` begins once there is something to lose. Throws Error(memory),
/// Error(usage) for flags that don't fit the model.
RunReport run_model(const RunFlags& flags, const RunInput& input, std::optional<GentleEnd>& gentle_end);

/// A number that two different files hardly share, from the headers and parts of every tensor: it takes no time.
std::string fingerprint(const Gguf& gguf);

} // namespace kern
