// Flags of sampling, shown and changed in the middle of a chat.
#pragma once

#include <string>

#include "cli/options.h"

namespace kern {

/// A line a flag, as /set takes it. `sampling`: what is made of the flags and of the model's own settings.
std::string generation_text(const GenerationFlags& flags, const SamplerOptions& sampling);

/// The flags with one changed. `name` with or without dashes, as in "temp" or "--top-k". Throws Error(usage).
GenerationFlags with_flag(const GenerationFlags& flags, const std::string& name, const std::string& value);

/// Takes out of the options of add_generation_flags() what a chat has no use for: --json and what belongs to it.
void remove_report_flags(CLI::App& app);

} // namespace kern
