// Text <-> token ids.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/metadata.h"

namespace kern {

using Token = std::int32_t;

/// Token types of GGUF (`tokenizer.ggml.token_type`), numbered as in the file.
enum class TokenType : std::uint8_t {
  undefined = 0,
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

/// The tokens that delimit text; absent where the model has none.
struct SpecialTokens {
  std::optional<Token> bos; // begins a text
  std::optional<Token> eos; // ends a text
  std::optional<Token> unknown;
  std::optional<Token> padding;
  std::vector<Token> end_of_generation; // ascending: EOS, EOT, and every token whose text is known to end an answer
  bool add_bos = false;                 // whether encode() puts BOS first when asked for specials
  bool add_eos = false;                 // whether encode() puts EOS last when asked for specials
};

struct EncodeOptions {
  bool add_special = true;    // put BOS / EOS around the text as the model's metadata says
  bool parse_special = false; // recognise the text of control tokens; otherwise it is plain text
};

/// A stretch of text with its own rule for special tokens: what a user wrote inside what a template wrote.
struct TextPart {
  std::string_view text;
  bool parse_special = false;
};

/// Immutable after construction; safe to use from several threads.
class Tokenizer {
public:
  virtual ~Tokenizer() = default;

  /// The tokenizer a GGUF file describes. Throws Error(model) naming key, found and expected where the description is
  /// incomplete, inconsistent, or of a kind or pre-tokenizer pattern that kern doesn't know. `pre_override`: the
  /// pattern to take whatever the file says, and what goes with it; throws Error(usage) where the name is not known or
  /// the model splits by no pattern.
  static std::unique_ptr<Tokenizer> create(const Metadata& metadata, std::string_view pre_override = {});

  /// Ids of a text of any bytes (invalid UTF-8 included). BOS and EOS are added exactly once: not where the text, with
  /// parse_special, starts or ends with it already. Tokens of type user_defined are recognised with and without
  /// parse_special. Time is n log n in the text, memory linear. Throws Error(usage) for a text of more than 1 GiB and
  /// Error(model) where the vocabulary has no token for a byte of it.
  std::vector<Token> encode(std::string_view text, const EncodeOptions& options) const;

  /// Ids of the parts put together: words and tokens of type user_defined may reach across borders; control tokens
  /// lie within a part that has parse_special, and go before user_defined ones.
  virtual std::vector<Token> encode(std::span<const TextPart> parts, bool add_special) const = 0;

  /// The bytes a token stands for in the middle of a text; empty for control and unknown tokens unless `show_special`.
  /// Throws Error(usage) for an id outside the vocabulary.
  virtual std::string piece(Token token, bool show_special) const = 0;

  /// The same where the token begins a text: less the space that encode() put before it.
  virtual std::string piece_at_start(Token token, bool show_special) const = 0;

  /// Whether what follows the token begins a text: encode() puts a space there too, if the model puts one at the start.
  virtual bool restarts_text(Token token) const = 0;

  /// The text of the ids, exactly: decode(encode(t)) == t. Leading-space rules of the model are undone after special
  /// tokens and, when `at_start` (the ids begin a text), at the start. Throws Error(usage) for an id outside the
  /// vocabulary.
  std::string decode(std::span<const Token> tokens, bool show_special, bool at_start = true) const;

  virtual std::size_t vocab_size() const = 0;
  /// The vocabulary entry as the file spells it.
  virtual std::string_view raw_text(Token token) const = 0;
  virtual TokenType type(Token token) const = 0;
  /// The id of an entry spelled exactly so, the last where there are several.
  virtual std::optional<Token> find(std::string_view raw_text) const = 0;
  virtual const SpecialTokens& special() const = 0;

  bool ends_generation(Token token) const;
};

} // namespace kern
