// Qwen 1.5, 2 and 2.5: biases on q, k and v.
#include "model/architectures/registry.h"
#include "model/architectures/transformer.h"

namespace kern {

const Architecture qwen2_architecture = {
    "qwen2",
    [](const Gguf& gguf) { return read_transformer(gguf, TransformerTraits{}); },
};

} // namespace kern
