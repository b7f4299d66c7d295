// Any command line: flags are understood, or refused by kern::Error. Only the parsing: no file is opened. The first
// byte says which groups of flags the command has; zero bytes divide the arguments.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/sampler_flags.h"
#include "model/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::string> arguments(1);
  for (std::size_t i = 1; i < size; ++i)
    if (data[i] == 0) arguments.emplace_back();
    else arguments.back() += static_cast<char>(data[i]);
  kern::ModelFlags model;
  kern::ContextFlags context;
  kern::PromptFlags prompt;
  kern::GenerationFlags generation;
  CLI::App app("A command.", "kern fuzz");
  const unsigned groups = data[0] % 5 < 4 ? 1u << data[0] % 5 : 15u; // declaring the flags takes most of the time
  if (groups & 1) kern::add_model_flags(app, model);
  if (groups & 2) kern::add_context_flags(app, context);
  if (groups & 4) kern::add_prompt_flags(app, prompt);
  if (groups & 8) kern::add_generation_flags(app, generation);
  try {
    kern::parse_flags(app, std::move(arguments));
    for (const std::string& bias : generation.logit_bias) kern::parse_logit_bias(bias);
  } catch (const kern::Error&) {
  }
  return 0;
}
