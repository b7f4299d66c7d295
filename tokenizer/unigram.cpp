#include "tokenizer/unigram.h"

#include <algorithm>

#include <fmt/format.h>

#include "tokenizer/unicode.h"

namespace kern {

namespace {

constexpr std::size_t longest_piece = 1024; // bytes; every place of a text may try that many
constexpr double unknown_penalty = 10.0;    // below the worst piece: kUnkPenalty

/// Past the words that begin at `from`: spaces, then what is none, and on where pieces reach on.
std::size_t end_of_words(std::string_view text, std::size_t from, const WordJoints& joints) {
  for (;;) {
    while (text.substr(from).starts_with(space_mark)) from += space_mark.size();
    from = std::min(text.find(space_mark, from), text.size());
    if (from == text.size() || !joints.reach_from(text.substr(0, from))) return from;
  }
}

} // namespace

UnigramTokenizer::UnigramTokenizer(const Metadata& metadata)
    // eos, unknown: what T5's spiece.model has, and llama.cpp takes where a file doesn't say
    : VocabularyTokenizer(metadata, SpecialDefaults{{}, 1, 2, false, true},
                          metadata.get_bool_or("tokenizer.ggml.add_space_prefix", false)),
      normalizer_(metadata) {
  bytes_.fill(-1);
  index_pieces(metadata);
}

void UnigramTokenizer::index_pieces(const Metadata& metadata) {
  const Vocabulary& words = vocabulary();
  if (!metadata.has(key_scores))
    metadata.fail(key_scores, "the key is missing, expected a score for each token; convert the model again");
  std::vector<std::string> pieces(words.size());
  std::vector<ByteTrie::Entry> entries;
  double worst = 0.0;
  for (Token token = 0; words.contains(token); ++token) {
    const std::string_view text = words.text(token);
    const TokenType type = words.type(token);
    std::string& piece = pieces[static_cast<std::size_t>(token)];
    const auto byte = byte_of_spelling(text);
    if (byte && (type == TokenType::byte || !words.has_types())) {
      bytes_[*byte] = token;
      piece = static_cast<char>(*byte);
      continue;
    }
    piece = type == TokenType::control || type == TokenType::unknown ? std::string(text) : unescape_spaces(text);
    if (type != TokenType::normal || text.empty() || token == special().unknown) continue;
    if (text.size() > longest_piece)
      metadata.fail(key_tokens, fmt::format("token {} is a text of {} bytes, expected at most {}; use another model",
                                            token, text.size(), longest_piece));
    worst = entries.empty() ? words.score(token) : std::min<double>(worst, words.score(token));
    entries.push_back({text, token});
    joints_.add(text);
  }
  unknown_score_ = worst - unknown_penalty;
  trie_ = ByteTrie(std::move(entries));
  set_pieces(metadata, std::move(pieces));
}

void UnigramTokenizer::encode_text(std::string_view text, bool at_start, std::vector<Token>& out) const {
  const std::string normalized = normalizer_.normalize(text, at_start);
  const std::string_view all = normalized;
  std::vector<Best> best;
  std::vector<Token> ids; // apart from `out`, so that no unknown token joins one before the text
  for (std::size_t begin = 0; begin < all.size();) {
    // Where no piece reaches from a word into the next one, each can be spelled by itself.
    const std::size_t end = end_of_words(all, begin, joints_);
    encode_word(all.substr(begin, end - begin), best, ids);
    begin = end;
  }
  out.insert(out.end(), ids.begin(), ids.end());
}

void UnigramTokenizer::encode_word(std::string_view word, std::vector<Best>& best, std::vector<Token>& out) const {
  best.assign(word.size() + 1, Best{});
  const auto offer = [&](std::size_t from, std::size_t length, Token token, double score) {
    Best& there = best[from + length];
    const double sum = best[from].score + score;
    if (there.length == 0 || sum > there.score) there = Best{sum, static_cast<std::uint32_t>(length), token};
  };
  for (std::size_t i = 0; i < word.size();) {
    const std::size_t character = std::max<std::size_t>(1, utf8_character(word, i));
    bool spelled = false;
    trie_.for_each_prefix(word.substr(i), [&](std::size_t length, Token token) {
      offer(i, length, token, vocabulary().score(token));
      spelled = spelled || length == character;
    });
    if (!spelled) offer(i, character, -1, unknown_score_);
    i += character;
  }
  // From the end back, then in order.
  std::vector<std::size_t> ends;
  for (std::size_t end = word.size(); end > 0; end -= best[end].length) ends.push_back(end);
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    const Best& last = best[*end];
    if (last.token >= 0) out.push_back(last.token);
    else encode_unknown(word.substr(*end - last.length, last.length), out);
  }
}

void UnigramTokenizer::encode_unknown(std::string_view character, std::vector<Token>& out) const {
  const auto byte_token = [&](char c) { return bytes_[static_cast<unsigned char>(c)]; };
  if (std::all_of(character.begin(), character.end(), [&](char c) { return byte_token(c) >= 0; })) {
    for (const char c : character) out.push_back(byte_token(c));
    return;
  }
  const Token unknown = unknown_for(static_cast<unsigned char>(character.front()));
  if (out.empty() || out.back() != unknown) out.push_back(unknown); // one for a run of them
}

} // namespace kern
