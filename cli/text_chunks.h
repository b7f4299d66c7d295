// A long text cut into pieces of one length, which a model reads one by one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "engine/session.h"
#include "tokenizer/tokenizer.h"

namespace kern {

struct TextChunkFlags {
  std::string file;       // -f; "-": standard input
  int chunk_tokens = 512; // -c
  int chunks = 0;         // --chunks, at most; 0: all
};
void add_text_chunk_flags(CLI::App& app, TextChunkFlags& flags);

/// As llama.cpp's perplexity and imatrix cut: what is left of the text behind the last whole chunk is not used.
struct TextChunks {
  std::vector<Token> tokens; // [chunks * length], as the text has them
  std::size_t length = 0;
  std::optional<Token> begin; // stands in place of each chunk's first token, where the model's texts begin so

  std::size_t size() const { return tokens.size() / length; }
  std::vector<Token> chunk(std::size_t index) const;
};

/// Reads and cuts the text. Throws Error(usage) where it can't be read or has no whole chunk.
TextChunks read_chunks(const TextChunkFlags& flags, const Tokenizer& tokenizer, bool quiet);

/// For a model that reads chunks of `length` tokens.
SessionOptions chunk_options(const ContextFlags& flags, std::size_t length);

/// What begins every chunk of a model's texts.
std::optional<Token> chunk_begin(const Tokenizer& tokenizer);

} // namespace kern
