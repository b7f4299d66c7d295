// The tokenizer of a folder as GGUF keys: tokens, scores, types, merges, special tokens, templates.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "convert/architecture.h"
#include "convert/keys.h"

namespace kern {

/// Sets the keys of the folder's tokenizer.model or tokenizer.json, of what the JSON files beside them say of special
/// tokens, and of its chat templates; adds to the config's warnings. Throws Error(model) where they are damaged,
/// contradict each other, or split text in a way that kern doesn't know.
void convert_vocabulary(const std::filesystem::path& folder, ModelConfig& config, Keys& keys);

} // namespace kern
