#include "tokenizer/rwkv.h"

#include <optional>
#include <string>

#include <fmt/format.h>

namespace kern {

namespace {

constexpr std::size_t longest_token = 1024; // bytes; every place of a text may try that many

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// \t, \n, \r, \xHH; other characters after a backslash stand for themselves. Nothing where an escape is cut or \x has
/// no digits.
std::optional<std::string> unescape(std::string_view spelling) {
  std::string bytes;
  for (std::size_t i = 0; i < spelling.size(); ++i) {
    if (spelling[i] != '\\') {
      bytes += spelling[i];
      continue;
    }
    if (++i == spelling.size()) return std::nullopt;
    const char c = spelling[i];
    if (c == 'x') {
      const std::string_view digits = spelling.substr(i + 1, 2);
      if (digits.size() < 2 || hex_digit(digits[0]) < 0 || hex_digit(digits[1]) < 0) return std::nullopt;
      bytes += static_cast<char>(hex_digit(digits[0]) * 16 + hex_digit(digits[1]));
      i += 2;
    } else {
      bytes += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
    }
  }
  return bytes;
}

} // namespace

RwkvTokenizer::RwkvTokenizer(const Metadata& metadata) : VocabularyTokenizer(metadata, SpecialDefaults{}, false) {
  const Vocabulary& words = vocabulary();
  std::vector<std::string> pieces(words.size());
  std::vector<ByteTrie::Entry> entries;
  for (Token token = 0; words.contains(token); ++token) {
    std::string& piece = pieces[static_cast<std::size_t>(token)];
    piece = words.text(token);
    if (words.type(token) != TokenType::normal) continue;
    const auto bytes = unescape(piece);
    if (!bytes)
      metadata.fail(key_tokens, fmt::format("token {} has an escape that is cut or has no hexadecimal digits, expected "
                                            "\\t, \\n, \\r, \\xHH or \\ and a character; convert the model again",
                                            token));
    if (bytes->size() > longest_token)
      metadata.fail(key_tokens, fmt::format("token {} is a text of {} bytes, expected at most {}; use another model",
                                            token, bytes->size(), longest_token));
    piece = *bytes;
    entries.push_back({piece, token});
  }
  trie_ = ByteTrie(std::move(entries));
  set_pieces(metadata, std::move(pieces));
}

void RwkvTokenizer::encode_text(std::string_view text, bool, std::vector<Token>& out) const {
  while (!text.empty()) {
    std::size_t longest = 0;
    Token best = -1;
    trie_.for_each_prefix(text, [&](std::size_t length, Token token) {
      longest = length;
      best = token;
    });
    if (best < 0) best = unknown_for(static_cast<unsigned char>(text.front()));
    out.push_back(best);
    text.remove_prefix(longest > 0 ? longest : 1);
  }
}

} // namespace kern
