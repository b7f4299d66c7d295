// Weights that are no numbers: where they stand, for messages.
#pragma once

#include <optional>
#include <string>

#include "model/gguf.h"

namespace kern {

/// "tensor 'blk.0.ffn_down.weight' holds inf at row 3, column 256" for its first weight that is NaN or infinite.
/// Decodes every block before it.
std::optional<std::string> find_non_finite(const TensorInfo& tensor);

/// Of the first tensor in directory order that has one. Reads the whole file where there is none.
std::optional<std::string> find_non_finite(const Gguf& gguf);

} // namespace kern
