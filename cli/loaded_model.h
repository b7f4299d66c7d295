// A model's headers, read and checked: what every command that answers begins with.
#pragma once

#include <memory>

#include "cli/devices.h"
#include "cli/options.h"
#include "model/gguf.h"
#include "model/spec.h"
#include "tokenizer/tokenizer.h"

namespace kern {

/// Everything but the weights. A Model of it must not outlive it.
struct LoadedModel {
  Gguf gguf;
  std::unique_ptr<Tokenizer> tokenizer;
  ModelSpec spec;
  Devices devices;
};

/// Opens the model the flags name. Throws Error(model) for a file that is missing, damaged or unsupported, also where
/// vocabulary and weights don't belong together, and Error(usage) for a wrong --pre or $KERN_CPU.
LoadedModel load_headers(const ModelFlags& flags);

} // namespace kern
