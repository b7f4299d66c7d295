// Which tokens begin, end and pad texts, and the chat templates: what tokenizer.json's post-processor,
// tokenizer_config.json, config.json and template files say of them, in the order in which llama.cpp's converter
// (gguf-py's SpecialVocab) believes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "convert/json_reader.h"
#include "convert/keys.h"

namespace kern {

struct SpecialSources {
  const JsonObject* tokenizer = nullptr;        // tokenizer.json, or null
  const JsonObject* tokenizer_config = nullptr; // tokenizer_config.json, or null
  const JsonObject* config = nullptr;           // config.json
  std::filesystem::path folder;                 // for template files
  std::uint64_t vocab_size = 0;
};

/// Sets tokenizer.ggml.*_token_id, add_*_token and tokenizer.chat_template*.
void convert_special_tokens(const SpecialSources& sources, Keys& keys);

/// The text of an entry like "bos_token": a string, or an object with its content.
std::optional<std::string> special_text(const JsonObject& tokenizer_config, const std::string& key);

} // namespace kern
