// The model that is part of the executable.
#pragma once

#include <cstddef>
#include <span>

namespace kern {

/// A whole GGUF file, 64-byte aligned.
std::span<const std::byte> demo_model();

} // namespace kern
