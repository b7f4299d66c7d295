// Standard output carries the answer and nothing else; everything else goes to standard error.
#pragma once

#include <string>
#include <string_view>

namespace kern {

/// Thrown where the reader of standard output is gone: the program ends quietly.
struct ClosedOutput {};

/// Writes to standard output at once. Throws ClosedOutput, or Error(output) where it can't be written.
void write_output(std::string_view text);

/// Writes to standard error at once; failures are ignored, there is nowhere left to say so.
void write_notice(std::string_view text);

/// "kern 0.1.0\n"
std::string version_line();
std::string version();

} // namespace kern
