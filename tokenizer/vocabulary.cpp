#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace kern {

namespace {

constexpr std::string_view key_types = "tokenizer.ggml.token_type";

/// Tokens that end an answer by their text: ggml-org/llama.cpp src/llama-vocab.cpp, special_eog_ids. "</s>" ends one
/// only where the file names it as EOS: in many vocabularies it is HTML.
constexpr std::string_view ends_by_text[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
    "<|endoftext|>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>",
    "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
    // code infilling: the next file begins
    "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]", "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>",
    "<reponame>", "<|file_sep|>"};

/// An id of a key, or the default where the key is absent. Files say "none" as -1, in 32 bits of either sign.
std::optional<Token> read_id(const Metadata& metadata, std::string_view name, std::size_t vocab_size,
                             std::optional<Token> fallback = {}) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  const MetadataValue* value = metadata.find(key);
  if (!value) return fallback && static_cast<std::size_t>(*fallback) < vocab_size ? fallback : std::nullopt;
  if (const auto* integer = std::get_if<std::int64_t>(&value->data); integer && *integer == -1) return std::nullopt;
  const std::uint64_t id = metadata.get_uint(key);
  if (id == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  if (id < vocab_size) return static_cast<Token>(id);
  // Nothing reads the padding token, and converters have written nonsense there.
  if (name == "padding") return std::nullopt;
  metadata.fail(key, fmt::format("found {}, expected an id below the vocabulary's size, {}; convert the model again",
                                 id, vocab_size));
}

void expect_count(const Metadata& metadata, std::string_view key, std::size_t found, std::size_t expected) {
  if (found != expected)
    metadata.fail(key, fmt::format("found {} elements, expected {}, one for each of '{}'; convert the model again",
                                   found, expected, key_tokens));
}

} // namespace

std::optional<unsigned char> byte_of_spelling(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(3, 2)) {
    if (c >= '0' && c <= '9') value = value * 16 + static_cast<unsigned>(c - '0');
    else if (c >= 'A' && c <= 'F') value = value * 16 + static_cast<unsigned>(c - 'A' + 10);
    else if (c >= 'a' && c <= 'f') value = value * 16 + static_cast<unsigned>(c - 'a' + 10);
    else return std::nullopt;
  }
  return static_cast<unsigned char>(value);
}

Vocabulary::Vocabulary(const Metadata& metadata, const SpecialDefaults& defaults) {
  read_texts(metadata);
  read_scores(metadata);
  read_types(metadata);
  read_special(metadata, defaults);
  find_end_of_generation(metadata);
}

void Vocabulary::read_texts(const Metadata& metadata) {
  const std::vector<std::string_view> texts = metadata.get_strings(key_tokens);
  if (texts.empty()) metadata.fail(key_tokens, "found no tokens, expected at least one; convert the model again");
  if (texts.size() > static_cast<std::size_t>(std::numeric_limits<Token>::max()))
    metadata.fail(key_tokens, fmt::format("found {} tokens, expected fewer than 2^31", texts.size()));
  begins_.reserve(texts.size() + 1);
  for (const std::string_view text : texts) {
    begins_.push_back(texts_.size());
    texts_ += text;
  }
  begins_.push_back(texts_.size());
  types_.assign(texts.size(), TokenType::normal);
}

void Vocabulary::read_scores(const Metadata& metadata) {
  const MetadataValue* value = metadata.find(key_scores);
  if (!value) return;
  const auto* array = std::get_if<MetadataArray>(&value->data);
  if (array && array->type == MetadataType::i32) {
    for (const std::int64_t score : metadata.get_ints(key_scores)) scores_.push_back(static_cast<float>(score));
  } else {
    scores_ = metadata.get_floats(key_scores);
  }
  expect_count(metadata, key_scores, scores_.size(), size());
  for (std::size_t i = 0; i < scores_.size(); ++i)
    if (std::isnan(scores_[i]))
      metadata.fail(key_scores, fmt::format("element {} is not a number; convert the model again", i));
}

void Vocabulary::read_types(const Metadata& metadata) {
  has_types_ = metadata.has(key_types);
  if (!has_types_) return;
  const std::vector<std::int64_t> types = metadata.get_ints(key_types);
  expect_count(metadata, key_types, types.size(), size());
  for (std::size_t i = 0; i < types.size(); ++i)
    types_[i] = types[i] >= 0 && types[i] <= 6 ? static_cast<TokenType>(types[i]) : TokenType::undefined;
}

void Vocabulary::read_special(const Metadata& metadata, const SpecialDefaults& defaults) {
  special_.bos = read_id(metadata, "bos", size(), defaults.bos);
  special_.eos = read_id(metadata, "eos", size(), defaults.eos);
  special_.unknown = read_id(metadata, "unknown", size(), defaults.unknown);
  special_.padding = read_id(metadata, "padding", size());
  const auto read_flag = [&](std::string_view key, bool fallback, bool has_token) {
    const bool asked = metadata.get_bool_or(key, fallback);
    if (asked && !has_token && metadata.has(key))
      metadata.fail(key, "found true, but the file names no such token; convert the model again or correct the key");
    return asked && has_token;
  };
  special_.add_bos = read_flag("tokenizer.ggml.add_bos_token", defaults.add_bos, special_.bos.has_value());
  if (defaults.always_bos && special_.bos) special_.add_bos = true;
  special_.add_eos = read_flag("tokenizer.ggml.add_eos_token", defaults.add_eos, special_.eos.has_value());
}

void Vocabulary::find_end_of_generation(const Metadata& metadata) {
  std::vector<Token>& ends = special_.end_of_generation;
  if (special_.eos) ends.push_back(*special_.eos);
  for (const std::string_view name : {"eot", "eom", "fim_pad", "fim_rep", "fim_sep"})
    if (const auto id = read_id(metadata, name, size())) ends.push_back(*id);
  bool harmony_return = false;
  bool harmony_call = false;
  std::optional<Token> end;
  std::vector<Token> separators;
  for (Token token = 0; contains(token); ++token) {
    if (type(token) != TokenType::control && type(token) != TokenType::user_defined) continue;
    const std::string_view spelling = text(token);
    if (std::find(std::begin(ends_by_text), std::end(ends_by_text), spelling) != std::end(ends_by_text))
      ends.push_back(token);
    if (spelling == "<|im_start|>") separators.push_back(token);
    if (spelling == "<|return|>") harmony_return = true;
    if (spelling == "<|call|>") harmony_call = true;
    if (spelling == "<|end|>") end = token;
  }
  // What separates turns must not come out of a message's text, as tokens of type user_defined would.
  separators.insert(separators.end(), ends.begin(), ends.end());
  for (const Token token : separators)
    if (type(token) == TokenType::user_defined) types_[static_cast<std::size_t>(token)] = TokenType::control;
  // In OpenAI's harmony format "<|end|>" ends a message, not the answer.
  if (harmony_return && harmony_call && end) std::erase(ends, *end);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

} // namespace kern
