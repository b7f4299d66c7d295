#include "tokenizer/tokenizer.h"

#include <algorithm>

#include <fmt/format.h>

#include "model/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/character_bpe.h"
#include "tokenizer/pretokenizers.h"
#include "tokenizer/rwkv.h"
#include "tokenizer/sentencepiece.h"
#include "tokenizer/unigram.h"

namespace kern {

namespace {

constexpr std::string_view key_pre = "tokenizer.ggml.pre";

const PretokenizerRule& rule_of(const Metadata& metadata, std::string_view pre_override) {
  const std::string_view name = pre_override.empty() ? metadata.get_string_or(key_pre, "default") : pre_override;
  if (const PretokenizerRule* rule = find_pretokenizer_rule(name)) return *rule;
  metadata.fail(key_pre,
                fmt::format("found {}, a way of splitting text that kern doesn't know, expected one of {}; use a newer "
                            "kern, or name the one that the model was trained with by --pre NAME",
                            describe(*metadata.find(key_pre)), pretokenizer_names()));
}

} // namespace

std::unique_ptr<Tokenizer> Tokenizer::create(const Metadata& metadata, std::string_view pre_override) {
  constexpr std::string_view key = "tokenizer.ggml.model";
  if (!pre_override.empty() && !find_pretokenizer_rule(pre_override))
    throw Error(ExitCode::usage, fmt::format("--pre: found \"{}\", a way of splitting text that kern doesn't know, "
                                             "expected one of {}",
                                             pre_override, pretokenizer_names()));
  const std::string_view model = metadata.get_string(key);
  if (model == "gpt2") {
    const PretokenizerRule& rule = rule_of(metadata, pre_override);
    if (rule.of_characters) return std::make_unique<CharacterBpeTokenizer>(metadata, rule);
    return std::make_unique<BpeTokenizer>(metadata, rule);
  }
  if (!pre_override.empty())
    throw Error(ExitCode::usage,
                fmt::format("--pre: {}: the model's tokenizer is {}, expected \"gpt2\": no other splits "
                            "text by a pattern; leave --pre out",
                            metadata.source(), describe(*metadata.find(key))));
  if (model == "llama") return std::make_unique<SentencePieceTokenizer>(metadata);
  if (model == "gemma4") return std::make_unique<CharacterBpeTokenizer>(metadata, *find_pretokenizer_rule("gemma4"));
  if (model == "t5") return std::make_unique<UnigramTokenizer>(metadata);
  if (model == "rwkv") return std::make_unique<RwkvTokenizer>(metadata);
  metadata.fail(
      key, fmt::format("found {}, which kern doesn't know, expected \"llama\" (SentencePiece BPE), \"gpt2\" "
                       "(byte-level BPE), \"gemma4\" (BPE of characters), \"t5\" (SentencePiece unigram) or \"rwkv\"; "
                       "use a model with one of these",
                       describe(*metadata.find(key))));
}

std::vector<Token> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const TextPart part{text, options.parse_special};
  return encode(std::span(&part, 1), options.add_special);
}

std::string Tokenizer::decode(std::span<const Token> tokens, bool show_special, bool at_start) const {
  std::string text;
  for (const Token token : tokens) {
    text += at_start ? piece_at_start(token, show_special) : piece(token, show_special);
    at_start = restarts_text(token);
  }
  return text;
}

bool Tokenizer::ends_generation(Token token) const {
  const std::vector<Token>& ends = special().end_of_generation;
  return std::binary_search(ends.begin(), ends.end(), token);
}

} // namespace kern
