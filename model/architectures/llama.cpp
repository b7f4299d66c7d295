// Llama 1-3.x, Mistral, TinyLlama, SmolLM2: converters reorder q and k so that rotated pairs are adjacent.
#include "model/architectures/registry.h"
#include "model/architectures/transformer.h"

namespace kern {

const Architecture llama_architecture = {
    "llama",
    [](const Gguf& gguf) {
      TransformerTraits traits;
      traits.rope_pairs = RopePairs::adjacent;
      return read_transformer(gguf, traits);
    },
};

} // namespace kern
