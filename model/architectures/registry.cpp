#include "model/architectures/registry.h"

#include <fmt/format.h>

#include "model/error.h"

namespace kern {

namespace {
const Architecture* const architectures[] = {&llama_architecture, &qwen2_architecture, &qwen3_architecture};
}

std::string architecture_names() {
  std::string names;
  for (const Architecture* architecture : architectures)
    names += (names.empty() ? "" : ", ") + std::string(architecture->name);
  return names;
}

ModelSpec read_spec(const Gguf& gguf) {
  const std::string_view name = gguf.metadata().get_string("general.architecture");
  for (const Architecture* architecture : architectures)
    if (name == architecture->name) return architecture->read(gguf);
  gguf.metadata().fail("general.architecture", fmt::format("found '{}', expected one of {}; kern can't run this model",
                                                           name, architecture_names()));
}

} // namespace kern
