// A sentencepiece model of any bytes: pieces with known types and finite scores, or kern::Error.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "convert/sentencepiece_model.h"
#include "model/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto model = kern::parse_sentencepiece(std::as_bytes(std::span(data, size)), "fuzz");
    if (model.pieces.empty()) __builtin_trap();
    for (const kern::SentencePiece& piece : model.pieces)
      if (!std::isfinite(piece.score) || piece.type < 1 || piece.type > 6 || piece.text.size() > size) __builtin_trap();
  } catch (const kern::Error&) {
  }
  return 0;
}
