// Flags that other tools have: what they mean here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.h"

namespace kern {

/// Appends to `out` what a flag of llama.cpp, ollama or llamafile that `app` doesn't have is in kern's words: another
/// flag, or nothing where it can't change a result of kern. `rest` are the arguments behind it, of which a flag's value
/// is taken. Throws Error(usage) with kern's way for a flag that would change the result. False for a name nobody has.
bool translate_foreign_flag(const CLI::App& app, std::string_view argument, std::vector<std::string>& rest,
                            std::vector<std::string>& out);

} // namespace kern
