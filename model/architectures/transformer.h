// What the metadata of plain decoder-only transformers has in common.
#pragma once

#include "model/gguf.h"
#include "model/spec.h"

namespace kern {

/// What a family fixes by itself.
struct TransformerTraits {
  RopePairs rope_pairs = RopePairs::halves;
  QkNorm qk_norm = QkNorm::none;
};

/// Reads sizes, attention, rope and feed-forward of a dense transformer under the keys "ARCHITECTURE.*". Biases are
/// what tensors the file has. Refuses keys of the architecture's section that it doesn't know, by name.
ModelSpec read_transformer(const Gguf& gguf, const TransformerTraits& traits);

} // namespace kern
