// Importance matrices: how much each column of a weight matters, as `kern imatrix` and llama.cpp's imatrix write it.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf.h"

namespace kern {

/// Mean squares of the activations that meet each column of a matrix, over a text.
class Importance {
public:
  /// Reads llama.cpp's GGUF form (tensors NAME.in_sum2 [columns, matrices] and NAME.counts [1, matrices]) or its older
  /// one (.dat). Throws Error(model) naming file, entry, found, expected.
  static Importance read(const std::filesystem::path& path);
  /// The same from memory; `source` names it in messages.
  static Importance parse(std::span<const std::byte> bytes, std::string source);

  /// [matrices, columns], or empty where nothing is known. A matrix that was never used (an expert) counts all alike.
  std::span<const float> find(std::string_view tensor) const;
  /// The same, after checking that it fits: throws Error(model).
  std::span<const float> find(const TensorInfo& tensor) const;

  std::size_t size() const { return entries_.size(); }
  const std::string& source() const { return source_; }
  const std::vector<std::string>& datasets() const { return datasets_; }
  std::uint32_t chunks() const { return chunks_; }

private:
  void read_gguf(const Gguf& gguf);
  void read_dat(std::span<const std::byte> bytes);
  /// sums [matrices, columns] over counts [matrices]
  void insert(std::string name, std::vector<float> sums, std::span<const float> counts);

  std::string source_;
  std::map<std::string, std::vector<float>, std::less<>> entries_;
  std::vector<std::string> datasets_;
  std::uint32_t chunks_ = 0;
};

} // namespace kern
