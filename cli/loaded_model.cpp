#include "cli/loaded_model.h"

#include <fmt/format.h>

#include "cli/model_file.h"
#include "model/architectures/registry.h"

namespace kern {

namespace {

void check_vocabulary(const Gguf& gguf, const ModelSpec& spec, const Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() != static_cast<std::size_t>(spec.vocab_size))
    gguf.metadata().fail("tokenizer.ggml.tokens",
                         fmt::format("found {} tokens, expected {}, the rows of token_embd.weight; the file is damaged",
                                     tokenizer.vocab_size(), spec.vocab_size));
}

} // namespace

LoadedModel load_headers(const ModelFlags& flags) {
  LoadedModel loaded{open_model(flags), nullptr, {}, {}};
  loaded.spec = read_spec(loaded.gguf);
  loaded.tokenizer = Tokenizer::create(loaded.gguf.metadata(), flags.pretokenizer);
  check_vocabulary(loaded.gguf, loaded.spec, *loaded.tokenizer);
  loaded.devices = open_devices(flags);
  return loaded;
}

} // namespace kern
