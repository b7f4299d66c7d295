#include "tokenizer/vocabulary_tokenizer.h"

#include <algorithm>

#include <fmt/format.h>

#include "model/error.h"

namespace kern {

namespace {

constexpr std::size_t longest_text = std::size_t{1} << 30; // offsets within a text take 32 bits, also tripled by U+2581

/// Phi-3's tokenizer.json has its special tokens swallow the white space after them ("rstrip"). GGUF has no key for it;
/// as llama.cpp does, the model is told by its name.
bool swallows_space(const Metadata& metadata, std::string_view text) {
  std::string name(metadata.get_string_or("general.name", ""));
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (name.find("phi-3") == std::string::npos && name.find("phi3") == std::string::npos) return false;
  return text != "<unk>" && text != "<s>" && text != "<|endoftext|>";
}

} // namespace

VocabularyTokenizer::VocabularyTokenizer(const Metadata& metadata, const SpecialDefaults& defaults, bool space_prefix)
    : source_(metadata.source()), vocabulary_(metadata, defaults), space_prefix_(space_prefix),
      by_text_(vocabulary_.size()) {
  for (Token token = 0; vocabulary_.contains(token); ++token) by_text_.insert(vocabulary_.text(token), token);
}

void VocabularyTokenizer::set_pieces(const Metadata& metadata, std::vector<std::string> pieces) {
  pieces_ = std::move(pieces);
  std::vector<SpecialMatcher::Entry> entries;
  for (Token token = 0; vocabulary_.contains(token); ++token) {
    const TokenType type = vocabulary_.type(token);
    if (!is_special(type)) continue;
    const bool always = type == TokenType::user_defined;
    entries.push_back({piece_bytes(token), token, always, false});
  }
  for (SpecialMatcher::Entry& entry : entries) entry.swallows_space = swallows_space(metadata, entry.text);
  matcher_ = SpecialMatcher(std::move(entries));
}

std::vector<Token> VocabularyTokenizer::encode(std::span<const TextPart> parts, bool add_special) const {
  std::size_t size = 0;
  for (const TextPart& part : parts) size += part.text.size();
  if (size > longest_text)
    throw Error(ExitCode::usage,
                fmt::format("a text of {} bytes is too long to tokenize, the limit is {}", size, longest_text));

  std::string joined;
  if (parts.size() > 1)
    for (const TextPart& part : parts) joined += part.text;
  const std::string_view text = parts.size() == 1 ? parts.front().text : std::string_view(joined);

  std::vector<Token> out;
  const bool add_bos = add_special && special().add_bos;
  if (add_bos) out.push_back(*special().bos);
  std::size_t done = 0;
  Token last_special = -1; // what the text ends with, if it is a special token
  const auto encode_until = [&](std::size_t end) {
    if (done == end) return;
    encode_text(text.substr(done, end - done), true, out); // what is special stands before it, or nothing
    last_special = -1;
  };
  for (const SpecialMatcher::Match& match : find_special(text, parts)) {
    encode_until(match.begin);
    if (match.begin > 0 || !add_bos || match.token != special().bos) out.push_back(match.token);
    last_special = match.token;
    done = match.end;
  }
  encode_until(text.size());
  if (add_special && special().add_eos && last_special != *special().eos) out.push_back(*special().eos);
  return out;
}

std::vector<SpecialMatcher::Match> VocabularyTokenizer::find_special(std::string_view text,
                                                                     std::span<const TextPart> parts) const {
  // Control tokens lie within a part that may have them.
  std::vector<SpecialMatcher::Match> control;
  std::size_t part_begin = 0;
  for (const TextPart& part : parts) {
    const std::size_t end = part_begin + part.text.size();
    std::size_t from = part_begin;
    while (part.parse_special) {
      const auto match = matcher_.find(text.substr(0, end), from, true);
      if (!match) break;
      from = match->end;
      if (vocabulary_.type(match->token) != TokenType::user_defined || match->swallows_space) control.push_back(*match);
    }
    part_begin = end;
  }
  // The others lie anywhere between them.
  std::vector<SpecialMatcher::Match> all;
  std::size_t from = 0;
  const auto find_until = [&](std::size_t end) {
    while (const auto match = matcher_.find(text.substr(0, end), from, false)) {
      all.push_back(*match);
      from = match->end;
    }
  };
  for (SpecialMatcher::Match& match : control) {
    if (match.begin < from) continue; // white space that the one before has taken
    find_until(match.begin);
    if (match.swallows_space) match.end = SpecialMatcher::after_space(text, match.end);
    all.push_back(match);
    from = match.end;
  }
  find_until(text.size());
  return all;
}

void VocabularyTokenizer::check(Token token) const {
  if (!vocabulary_.contains(token))
    throw Error(ExitCode::usage, fmt::format("token id {} is outside the vocabulary of {}: ids go from 0 to {}", token,
                                             source_, vocab_size() - 1));
}

std::string VocabularyTokenizer::piece(Token token, bool show_special) const {
  check(token);
  const TokenType type = vocabulary_.type(token);
  if (!show_special && (type == TokenType::control || type == TokenType::unknown)) return {};
  return piece_bytes(token);
}

std::string VocabularyTokenizer::piece_at_start(Token token, bool show_special) const {
  std::string text = piece(token, show_special);
  if (space_prefix_ && !is_special(vocabulary_.type(token)) && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

bool VocabularyTokenizer::restarts_text(Token token) const { return is_special(type(token)); }

std::string_view VocabularyTokenizer::raw_text(Token token) const {
  check(token);
  return vocabulary_.text(token);
}

TokenType VocabularyTokenizer::type(Token token) const {
  check(token);
  return vocabulary_.type(token);
}

std::optional<Token> VocabularyTokenizer::find(std::string_view raw_text) const {
  const Token token = by_text_.find(raw_text);
  return token < 0 ? std::nullopt : std::optional(token);
}

Token VocabularyTokenizer::unknown_for(unsigned char byte) const {
  // Some files name an ordinary or control token as the unknown one, StarCoder's the end of the text: not that.
  const auto unknown = special().unknown;
  if (unknown && (!vocabulary_.has_types() || vocabulary_.type(*unknown) == TokenType::unknown)) return *unknown;
  throw Error(
      ExitCode::model,
      fmt::format("{}: key 'tokenizer.ggml.tokens': the text has byte 0x{:02X}, for which the vocabulary has neither "
                  "a token nor an unknown token; use another model or leave that byte out",
                  source_, byte));
}

} // namespace kern
