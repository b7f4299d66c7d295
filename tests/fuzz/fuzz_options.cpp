// Any command line: flags are understood, or refused by kern::Error. Only the parsing: no file is opened. The first
// byte says which groups of flags the command has; zero bytes divide the arguments.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/options.h"
#include "cli/sampler_flags.h"
#include "model/error.h"

namespace {

struct Values {
  kern::ModelFlags model;
  kern::ContextFlags context;
  kern::PromptFlags prompt;
  kern::TemplateFlags chat;
  kern::GenerationFlags generation;
};

/// A command with some groups of flags. Declaring them takes 20 times as long as parsing a line, so a command is made
/// once and its values are reset for each line.
class Command {
public:
  explicit Command(unsigned groups) {
    if (groups & 1) kern::add_model_flags(app_, values_.model);
    if (groups & 2) kern::add_context_flags(app_, values_.context);
    if (groups & 4) kern::add_prompt_flags(app_, values_.prompt);
    if (groups & 8) kern::add_generation_flags(app_, values_.generation);
    if (groups & 16) kern::add_template_flags(app_, values_.chat);
    kern::prepare_flags(app_);
  }

  void run(std::vector<std::string> arguments) {
    values_ = {};
    kern::parse_prepared_flags(app_, std::move(arguments));
    for (const std::string& bias : values_.generation.logit_bias) kern::parse_logit_bias(bias);
  }

private:
  Values values_;
  CLI::App app_{"A command.", "kern fuzz"};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static constexpr std::array<unsigned, 6> groups = {1, 2, 4, 8, 16, 31};
  static std::array<std::unique_ptr<Command>, groups.size()> commands;
  std::vector<std::string> arguments(1);
  for (std::size_t i = 1; i < size; ++i)
    if (data[i] == 0) arguments.emplace_back();
    else arguments.back() += static_cast<char>(data[i]);
  const std::size_t chosen = data[0] % groups.size();
  if (!commands[chosen]) commands[chosen] = std::make_unique<Command>(groups[chosen]);
  try {
    commands[chosen]->run(std::move(arguments));
  } catch (const kern::Error&) {
  }
  return 0;
}
