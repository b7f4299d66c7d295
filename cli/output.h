// Standard output carries the answer and nothing else; everything else goes to standard error.
#pragma once

#include <string>
#include <string_view>

namespace kern {

/// Keeps the numbers 0, 1 and 2 from files that are opened later: one that was closed before the start is taken by a
/// file that can't be read (0) or written (1, 2). Call it first.
void hold_standard_files();

/// Thrown where the reader of standard output is gone, a closed pipe or terminal: the program ends quietly.
struct ClosedOutput {};

/// Writes to standard output at once. Throws ClosedOutput, or Error(output) where it can't be written. After an
/// interruption, a reader that takes nothing for 2 s is waited for no longer: throws Error with the interruption's
/// code.
void write_output(std::string_view text);

/// Writes to standard error at once; failures are ignored, there is nowhere left to say so.
void write_notice(std::string_view text);

/// "kern 0.1.0\n"
std::string version_line();
std::string version();

} // namespace kern
