#include "cli/generation_text.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/sampler_flags.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

std::string generation_text(const GenerationFlags& flags, const SamplerOptions& sampling) {
  std::string out = fmt::format("-n {}\n--seed {}\n", flags.max_tokens, sampling.seed) + sampler_text(sampling);
  if (flags.max_time) out += fmt::format("--max-time {}\n", *flags.max_time);
  for (const std::string& stop : flags.stops) out += fmt::format("--stop \"{}\"\n", escape_line(stop));
  for (const std::string& bias : flags.logit_bias) out += fmt::format("--logit-bias {}\n", escape_line(bias));
  return out;
}

void remove_report_flags(CLI::App& app) {
  for (const char* flag : {"--json", "--jsonl", "--extract", "--top-logprobs"}) app.remove_option(app.get_option(flag));
}

GenerationFlags with_flag(const GenerationFlags& flags, const std::string& name, const std::string& value) {
  GenerationFlags changed = flags;
  CLI::App app("", "/set");
  app.set_help_flag();
  add_generation_flags(app, changed);
  remove_report_flags(app);
  std::string flag = name;
  if (!flag.starts_with('-')) flag = (flag.size() == 1 ? "-" : "--") + flag;
  std::ranges::replace(flag, '_', '-');
  if (flag.find_first_of("= \t") != std::string::npos || flag.find_first_not_of('-') == std::string::npos)
    throw Error(ExitCode::usage,
                fmt::format("/set: found '{}', expected a flag, as in /set temp 0.5", escape_line(name)));
  try {
    parse_flags(app, flag.starts_with("--") ? std::vector{flag + "=" + value} : std::vector{flag, value});
  } catch (const Error& error) {
    // parse_flags speaks of the --help of a command.
    const std::string message = error.what();
    throw Error(ExitCode::usage,
                fmt::format("/set: {}; /set alone lists the flags", message.substr(0, message.rfind("; `"))));
  }
  return changed;
}

} // namespace kern
