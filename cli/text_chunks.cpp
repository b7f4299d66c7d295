#include "cli/text_chunks.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/input.h"
#include "cli/terminal.h"
#include "model/error.h"

namespace kern {

void add_text_chunk_flags(CLI::App& app, TextChunkFlags& flags) {
  app.add_option("-f,--file", flags.file, "the text; - is standard input")->type_name("FILE");
  app.add_option("-c,--ctx-size", flags.chunk_tokens, "tokens of a chunk, each of which is read by itself")
      ->type_name("N")
      ->check(CLI::Range(4, 1 << 20))
      ->capture_default_str();
  app.add_option("--chunks", flags.chunks, "the first N chunks (default: all)")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 30));
}

std::vector<Token> TextChunks::chunk(std::size_t index) const {
  const auto from = tokens.begin() + static_cast<std::ptrdiff_t>(index * length);
  std::vector<Token> out(from, from + static_cast<std::ptrdiff_t>(length));
  if (begin) out[0] = *begin;
  return out;
}

SessionOptions chunk_options(const ContextFlags& flags, std::size_t length) {
  SessionOptions options;
  options.context = static_cast<int>(length);
  options.step_tokens = std::min(flags.step_tokens, flags.batch);
  options.key_format = flags.key_format;
  options.value_format = flags.value_format;
  return options;
}

std::optional<Token> chunk_begin(const Tokenizer& tokenizer) {
  return tokenizer.special().add_bos ? tokenizer.special().bos : std::nullopt;
}

TextChunks read_chunks(const TextChunkFlags& flags, const Tokenizer& tokenizer, bool quiet) {
  if (flags.file.empty()) throw Error(ExitCode::usage, "found no text, expected -f FILE (- is standard input)");
  TextChunks out;
  out.tokens = tokenizer.encode(read_text_file(flags.file, quiet), {.add_special = true, .parse_special = false});
  out.length = static_cast<std::size_t>(flags.chunk_tokens);
  out.begin = chunk_begin(tokenizer);
  std::size_t chunks = out.tokens.size() / out.length;
  if (chunks == 0)
    throw Error(ExitCode::usage, fmt::format("{}: found {} tokens, expected at least {}, one chunk; give a longer text "
                                             "or a smaller -c",
                                             escape_line(flags.file), out.tokens.size(), out.length));
  if (flags.chunks > 0) chunks = std::min(chunks, static_cast<std::size_t>(flags.chunks));
  out.tokens.resize(chunks * out.length);
  return out;
}

} // namespace kern
