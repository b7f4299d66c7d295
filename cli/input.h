// Where the prompt comes from: arguments, -p, -f, standard input.
#pragma once

#include <string>

#include "cli/options.h"

namespace kern {

/// The prompt. With both an argument and piped input, the input follows after a blank line. Waiting on a silent pipe is
/// said on standard error after two seconds, unless `quiet`. Throws Error(usage) where there is none, where it was
/// given twice, or where a file can't be read.
std::string read_prompt(const PromptFlags& flags, bool quiet);

/// All of a file, or of standard input for "-". Throws as above.
std::string read_text_file(const std::string& path, bool quiet);

/// A system text: all of a file, less the line feed that ends its last line. Throws as above.
std::string read_system_file(const std::string& path, bool quiet);

} // namespace kern
