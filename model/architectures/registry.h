// Families of models by the name their files carry.
#pragma once

#include <string>
#include <vector>

#include "model/gguf.h"
#include "model/spec.h"

namespace kern {

/// One family: the value of `general.architecture` and how its metadata becomes a ModelSpec.
struct Architecture {
  const char* name;
  ModelSpec (*read)(const Gguf& gguf);
};

extern const Architecture llama_architecture;
extern const Architecture qwen2_architecture;
extern const Architecture qwen3_architecture;

/// The spec of a file. Throws Error(model) for an architecture kern doesn't know, and for a key that changes the
/// mathematics in a way it doesn't know: by name, never approximated.
ModelSpec read_spec(const Gguf& gguf);

/// "llama, qwen2, ..."
std::string architecture_names();

} // namespace kern
