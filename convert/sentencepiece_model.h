// tokenizer.model: a sentencepiece model, which is a protobuf message.
// Format: google/sentencepiece src/sentencepiece_model.proto.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kern {

struct SentencePiece {
  std::string text;
  float score = 0.0f;
  std::int32_t type = 1; // as GGUF numbers them: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
};

struct SentencePieceModel {
  std::vector<SentencePiece> pieces;
  bool bpe = false; // else unigram, words or characters
  bool add_dummy_prefix = true;
  bool has_normalization = false; // a table of characters to replace
};

/// Throws Error(model) naming file, offset, found, expected.
SentencePieceModel parse_sentencepiece(std::span<const std::byte> bytes, const std::string& name);

} // namespace kern
