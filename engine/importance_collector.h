// Importance matrices in the making: sums of the squares of what meets each column of a matrix.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/gguf.h"
#include "model/spec.h"
#include "model/tap.h"

namespace kern {

/// What a text was, as the file tells it.
struct ImportanceText {
  std::string name;
  std::uint32_t chunk_tokens = 0;
};

/// Collects for every matrix of the layers, not for embedding and output: as llama.cpp's imatrix does by default.
class ImportanceCollector : public Tap {
public:
  explicit ImportanceCollector(const ModelSpec& spec);

  void activation(TapPoint point, int layer, Backend& backend, Rows rows) override;
  /// Adds what came since the last call. Sums are kept as the file holds them, so that going on from a file gives the
  /// bits that one run gives.
  void finish_chunk();
  std::uint32_t chunks() const { return chunks_; }

  /// llama.cpp's GGUF form: F32 tensors NAME.in_sum2 [columns, 1] and NAME.counts [1, 1]. Whole or absent; throws
  /// Error(output).
  void write(const std::filesystem::path& path, const ImportanceText& text) const;
  /// Goes on from what write() wrote. Throws Error(model) where the file is of another model or text.
  void restore(const Gguf& gguf, const ImportanceText& text);

private:
  struct Entry {
    std::vector<std::string> tensors; // matrices that share this input
    std::vector<double> chunk;        // [columns], of the chunk in progress
    std::vector<float> sums;          // [columns], of finished chunks
    double chunk_rows = 0.0;
    float rows = 0.0f;
  };

  std::vector<Entry> entries_; // [layers][inputs of a layer]
  std::vector<float> rows_;
  std::uint32_t chunks_ = 0;
};

} // namespace kern
