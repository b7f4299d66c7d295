// Tiny models whose answer is known before they run: each token has one successor, and nothing else counts. Attention
// and feed-forward are zero, so the residual stream is the token's embedding. That is a row of signs which belongs to
// the successor, and the output matrix has the same signs in the successor's row: its logit is the model's dimension,
// all others are far below.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/gguf_writer.h"
#include "quant/format_id.h"
#include "tests/temporary_folder.h"
#include "tokenizer/tokenizer.h"

namespace kern::test {

/// ChatML, and a chat template of another kind.
inline constexpr const char* chatml_template =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
    "'\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
inline constexpr const char* foreign_template =
    "{% for message in messages %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% endfor %}";

enum class Spelling {
  byte_level,    // tokenizer.ggml.model "gpt2"
  sentencepiece, // tokenizer.ggml.model "llama"
};

struct ChainToken {
  std::string text; // as the vocabulary spells it
  TokenType type = TokenType::normal;
  Token successor = 0;
};

struct ChainModel {
  std::vector<ChainToken> tokens;
  Spelling spelling = Spelling::byte_level;
  std::string pre = "gpt-2";       // byte_level only
  std::vector<std::string> merges; // byte_level only
  std::string chat_template;       // empty: none
  std::optional<Token> bos, eos, unknown;
  bool add_bos = false;
  std::string name = "chain";
  int context_length = 1024;
  int dim = 64; // a multiple of 64
  int layers = 1;
  Format format = Format::f32; // of the matrices: f32, q8_0 or q4_0
  float sharpness = 1.0f;      // multiplies all logits; near 0 every token is about as likely as any other
  std::vector<std::pair<std::string, float>> sampling; // keys of numbers
  std::string sampling_sequence;                       // general.sampling.sequence; empty: none
  bool noise = false; // attention and feed-forward are pseudo-random instead of zero: no chain any more
};

/// What follows the last piece of an answer.
enum class AnswerEnd {
  end_of_generation,
  again, // the first piece, without end
};

/// A model that says `pieces`, one token each, after a prompt of any text. Its vocabulary has the pieces, then what a
/// prompt is spelled with: the 256 bytes and the control tokens <s>, </s>, <|im_start|> and <|im_end|>. Pieces are
/// tokens of their own, so a prompt with the same text is answered from the first piece on too. A piece of
/// sentencepiece is UTF-8, or one byte. </s> ends the answer; no BOS is added.
ChainModel answer_model(const std::vector<std::string>& pieces, Spelling spelling = Spelling::byte_level,
                        AnswerEnd end = AnswerEnd::end_of_generation);

/// The id of a token by its spelling, the last where there are several; throws where there is none.
Token find_token(const ChainModel& model, const std::string& text);

/// The file's bytes, whole.
std::vector<std::byte> chain_model_bytes(const ChainModel& model);
void write_chain_model(const ChainModel& model, const std::filesystem::path& path);
/// Metadata without tensors.
void write_vocabulary(const ChainModel& model, const std::filesystem::path& path);

} // namespace kern::test
