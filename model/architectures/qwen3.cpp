// Qwen 3: an RMS norm on every query and key head before rotation.
#include "model/architectures/registry.h"
#include "model/architectures/transformer.h"

namespace kern {

const Architecture qwen3_architecture = {
    "qwen3",
    [](const Gguf& gguf) {
      TransformerTraits traits;
      traits.qk_norm = QkNorm::per_head;
      return read_transformer(gguf, traits);
    },
};

} // namespace kern
