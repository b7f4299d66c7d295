#include "engine/samplers/options.h"

#include <algorithm>
#include <stdexcept>

namespace kern {

namespace {

constexpr std::size_t max_steps = 64;

struct StepName {
  SamplerStep step;
  std::string_view name;
  char letter;
  std::string_view other_name = {};
};

constexpr StepName steps_known[] = {
    {SamplerStep::penalties, "penalties", 'e'},
    {SamplerStep::dry, "dry", 'd'},
    {SamplerStep::top_n_sigma, "top_n_sigma", 's', "top_nsigma"},
    {SamplerStep::top_k, "top_k", 'k'},
    {SamplerStep::typical, "typ_p", 'y', "typical"},
    {SamplerStep::top_p, "top_p", 'p', "nucleus"},
    {SamplerStep::min_p, "min_p", 'm'},
    {SamplerStep::xtc, "xtc", 'x'},
    {SamplerStep::temperature, "temperature", 't', "temp"},
};

[[noreturn]] void fail(std::string_view found) {
  throw std::invalid_argument("found '" + std::string(found) + "', expected some of " + step_names(default_steps()) +
                              ";adaptive_p");
}

void append(std::vector<SamplerStep>& steps, SamplerStep step) {
  if (steps.size() == max_steps) throw std::invalid_argument("found more than 64 steps");
  steps.push_back(step);
}

} // namespace

std::vector<SamplerStep> default_steps() {
  std::vector<SamplerStep> steps;
  for (const StepName& known : steps_known) steps.push_back(known.step);
  return steps;
}

std::string step_names(const std::vector<SamplerStep>& steps) {
  std::string names;
  for (const SamplerStep step : steps) {
    if (!names.empty()) names += ';';
    names += std::ranges::find(steps_known, step, &StepName::step)->name;
  }
  return names;
}

std::vector<SamplerStep> parse_step_names(std::string_view names) {
  std::vector<SamplerStep> steps;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(';'), names.size());
    std::string name(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
    std::ranges::replace(name, '-', '_');
    if (name.empty() || name == "adaptive_p") continue;
    const auto known = std::ranges::find_if(steps_known, [&](const StepName& s) {
      return s.name == name || (!s.other_name.empty() && s.other_name == name);
    });
    if (known == std::end(steps_known)) fail(name);
    append(steps, known->step);
  }
  return steps;
}

std::vector<SamplerStep> parse_step_letters(std::string_view letters) {
  std::vector<SamplerStep> steps;
  for (const char letter : letters) {
    if (letter == 'a') continue;
    const auto known = std::ranges::find(steps_known, letter, &StepName::letter);
    if (known == std::end(steps_known))
      throw std::invalid_argument("found '" + std::string(1, letter) + "', expected letters of edskypmxta");
    append(steps, known->step);
  }
  return steps;
}

} // namespace kern
