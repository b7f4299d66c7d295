// What a template may cost, and how it fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace kern::jinja {

/// Something a template asks for that can't be done; becomes a TemplateError with a line where the line is known.
struct Problem : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// "line 12: PROBLEM", one line.
struct TemplateError : std::runtime_error {
  TemplateError(int line, std::string problem);
  int line;            // of the template, from 1
  std::string problem; // without the line
};

struct Limits {
  std::uint64_t steps = 20'000'000;               // expressions evaluated, elements looked at
  std::uint64_t bytes = std::uint64_t{512} << 20; // of all values made
  std::uint64_t bytes_per_input_byte = 64;        // added to `bytes`: long conversations may cost more
  int depth = 400;                                // of calls, statements and expressions within each other
};

/// A template comes from outside: every expression, element and byte it makes is paid for.
class Budget {
public:
  Budget(const Limits& limits, std::size_t input_bytes)
      : steps_(limits.steps), bytes_(limits.bytes + limits.bytes_per_input_byte * input_bytes) {}

  void step(std::uint64_t count = 1) {
    if (count > steps_) throw Problem("the template takes too many steps");
    steps_ -= count;
  }
  void bytes(std::uint64_t count) {
    if (count > bytes_) throw Problem("the template takes too much memory");
    bytes_ -= count;
    step(count / 64);
  }

private:
  std::uint64_t steps_;
  std::uint64_t bytes_;
};

} // namespace kern::jinja
