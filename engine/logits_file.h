// A base model's opinion of a text in a file, in the form of llama.cpp's --kl-divergence-base, so that either program
// reads what the other wrote: "_logits_", i32 context, vocabulary and chunks, the tokens [chunks][context], then a row
// for each token but the last of every chunk's second half. A row: f32 scale, f32 least, u16 [vocabulary], one more
// where that is odd; the log of a probability is scale * u16 + least.
// Source: ggml-org/llama.cpp tools/perplexity/perplexity.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "model/mapped_file.h"
#include "model/output_file.h"

namespace kern {

/// Rows of a chunk: the logits after tokens context / 2 .. context - 2, each of which a token follows.
inline std::size_t scored_rows(std::size_t context) { return context - 1 - context / 2; }

/// Whole or absent.
class LogitsWriter {
public:
  /// tokens [chunks * context]
  LogitsWriter(const std::filesystem::path& path, std::int32_t context, std::int32_t vocab_size,
               std::span<const std::int32_t> tokens);
  /// The next row, logits [vocab_size]. Throws Error(output).
  void add(std::span<const float> logits);
  void commit() { file_.commit(); }

private:
  OutputFile file_;
  std::vector<std::uint16_t> row_;
};

class LogitsFile {
public:
  /// Throws Error(model) naming offset, found and expected where the file is no such one or isn't whole.
  explicit LogitsFile(const std::filesystem::path& path);
  /// The same from memory, which must outlive it; `source` names it in messages.
  LogitsFile(std::span<const std::byte> bytes, std::string source);

  std::size_t context() const { return context_; }
  std::size_t vocab_size() const { return vocab_size_; }
  std::size_t chunks() const { return tokens_.size() / context_; }
  const std::vector<std::int32_t>& tokens() const { return tokens_; }
  /// Logs of probabilities to out [vocab_size]; row < chunks() * scored_rows(context()).
  void read(std::size_t row, std::span<float> out) const;

private:
  void parse(std::span<const std::byte> bytes);

  MappedFile file_; // where it is one
  std::string source_;
  std::size_t context_ = 0;
  std::size_t vocab_size_ = 0;
  std::vector<std::int32_t> tokens_;
  std::span<const std::byte> rows_;
};

} // namespace kern
