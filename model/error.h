// Errors that reach the user: one line of text and the exit code it ends in.
#pragma once

#include <stdexcept>
#include <string>

namespace kern {

/// What the process says to its shell. The numbers are documented in the README and never change meaning.
enum class ExitCode : int {
  ok = 0,            // the model ended its answer, or the tokens asked for were given
  different = 1,     // kern replay: the output is another
  usage = 2,         // the command line makes no sense
  model = 3,         // the model file is missing, damaged or unsupported
  context_full = 4,  // the prompt does not fit the context
  cut = 5,           // the answer was cut at the context's end or at a time limit
  memory = 6,        // out of memory
  constraint = 7,    // constrained output could not be completed
  output = 8,        // output could not be written
  device = 9,        // the GPU or its driver failed
  hung_up = 129,     // SIGHUP: the terminal went away
  interrupted = 130, // Ctrl-C
  terminated = 143,  // SIGTERM
};

/// A condition the user can do something about. `what()` is one line that names the file, the key or offset,
/// what was found, what was expected and the remedy. Caught once, in main.cpp.
class Error : public std::runtime_error {
public:
  /// A line break in the message, which may come from a file, becomes "\\n".
  Error(ExitCode code, const std::string& message) : std::runtime_error(one_line(message)), code_(code) {}
  ExitCode code() const { return code_; }

private:
  static std::string one_line(const std::string& message) {
    std::string line;
    for (const char c : message)
      if (c == '\n') line += "\\n";
      else line += c;
    return line;
  }

  ExitCode code_;
};

} // namespace kern
