#include "tests/chain_model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "quant/formats.h"
#include "tokenizer/unicode.h"

namespace kern::test {

namespace {

/// splitmix64 (Steele, Lea, Flood 2014): neighbouring seeds give unrelated numbers.
std::uint64_t mix(std::uint64_t seed) {
  seed += 0x9E3779B97F4A7C15u;
  seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9u;
  seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EBu;
  return seed ^ (seed >> 31);
}

/// The row of signs, [dim], that belongs to a token.
std::vector<float> signs_of(Token token, int dim) {
  std::vector<float> row;
  for (int i = 0; i < dim; i += 64) {
    const std::uint64_t bits = mix((static_cast<std::uint64_t>(token) << 16) + static_cast<std::uint64_t>(i));
    for (int bit = 0; bit < 64; ++bit) row.push_back((bits >> bit & 1) != 0 ? 1.0f : -1.0f);
  }
  return row;
}

void append(std::vector<std::byte>& out, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  out.insert(out.end(), bytes, bytes + size);
}

void append_q8_0(std::vector<std::byte>& out, const float* values) {
  Q8_0::Block block{};
  float largest = 0.0f;
  for (int i = 0; i < Q8_0::width; ++i) largest = std::max(largest, std::fabs(values[i]));
  block.d = to_half(largest / 127.0f);
  for (int i = 0; i < Q8_0::width && largest > 0.0f; ++i)
    block.codes[i] = static_cast<std::int8_t>(std::lround(values[i] / largest * 127.0f));
  append(out, &block, sizeof(block));
}

void append_q4_0(std::vector<std::byte>& out, const float* values) {
  Q4_0::Block block{};
  float largest = 0.0f;
  for (int i = 0; i < Q4_0::width; ++i) largest = std::max(largest, std::fabs(values[i]));
  block.d = to_half(largest / 7.0f);
  const auto code = [&](float value) {
    return static_cast<unsigned>(largest > 0.0f ? std::lround(value / largest * 7.0f) + 8 : 8);
  };
  for (int i = 0; i < 16; ++i) block.codes[i] = static_cast<std::uint8_t>(code(values[i]) | code(values[i + 16]) << 4);
  append(out, &block, sizeof(block));
}

/// values: any whole number of blocks.
std::vector<std::byte> encode(Format format, const std::vector<float>& values) {
  std::vector<std::byte> out;
  const auto blocks_of = [&](int width, auto append_block) {
    for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(width)) append_block(out, &values[i]);
  };
  switch (format) {
  case Format::f32: append(out, values.data(), values.size() * sizeof(float)); return out;
  case Format::q8_0: blocks_of(Q8_0::width, append_q8_0); return out;
  case Format::q4_0: blocks_of(Q4_0::width, append_q4_0); return out;
  default: throw std::invalid_argument("chain models are written as F32, Q8_0 or Q4_0");
  }
}

/// Owns the tensors' data until the file is written.
class Builder {
public:
  explicit Builder(const ChainModel& model) : model_(model) {}

  GgufWriter& metadata() {
    writer_.add("general.architecture", "llama");
    writer_.add("general.name", model_.name);
    const auto number = [&](const char* key, int value) {
      writer_.add(std::string("llama.") + key, static_cast<std::uint32_t>(value));
    };
    number("context_length", model_.context_length);
    number("embedding_length", model_.dim);
    number("block_count", model_.layers);
    number("feed_forward_length", model_.dim);
    number("attention.head_count", 2);
    number("attention.head_count_kv", 1);
    writer_.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    for (const auto& [key, value] : model_.sampling) writer_.add(key, value);
    if (!model_.sampling_sequence.empty()) writer_.add("general.sampling.sequence", model_.sampling_sequence);
    tokenizer();
    return writer_;
  }

  void tensors() {
    const auto dim = static_cast<std::uint64_t>(model_.dim);
    const auto kv_dim = dim / 2;
    std::vector<float> embedding;
    std::vector<float> output;
    for (std::size_t i = 0; i < model_.tokens.size(); ++i) {
      const auto to = signs_of(model_.tokens[i].successor, model_.dim);
      const auto own = signs_of(static_cast<Token>(i), model_.dim);
      embedding.insert(embedding.end(), to.begin(), to.end());
      output.insert(output.end(), own.begin(), own.end());
    }
    add("token_embd.weight", model_.format, {dim, model_.tokens.size()}, embedding);
    for (int i = 0; i < model_.layers; ++i) {
      const std::string prefix = "blk." + std::to_string(i) + ".";
      vector(prefix + "attn_norm.weight", 1.0f);
      inner(prefix + "attn_q.weight", dim);
      inner(prefix + "attn_k.weight", kv_dim);
      inner(prefix + "attn_v.weight", kv_dim);
      inner(prefix + "attn_output.weight", dim);
      vector(prefix + "ffn_norm.weight", 1.0f);
      inner(prefix + "ffn_gate.weight", dim);
      inner(prefix + "ffn_up.weight", dim);
      inner(prefix + "ffn_down.weight", dim);
    }
    vector("output_norm.weight", model_.sharpness);
    add("output.weight", model_.format, {dim, model_.tokens.size()}, output);
  }

private:
  void tokenizer() {
    const bool byte_level = model_.spelling == Spelling::byte_level;
    std::vector<std::string> texts;
    std::vector<std::int32_t> types;
    for (const ChainToken& token : model_.tokens) {
      texts.push_back(token.text);
      types.push_back(static_cast<std::int32_t>(token.type));
    }
    writer_.add("tokenizer.ggml.model", byte_level ? "gpt2" : "llama");
    writer_.add("tokenizer.ggml.tokens", texts);
    writer_.add("tokenizer.ggml.token_type", types);
    if (byte_level) {
      writer_.add("tokenizer.ggml.pre", model_.pre);
      writer_.add("tokenizer.ggml.merges", model_.merges);
    } else {
      writer_.add("tokenizer.ggml.scores", std::vector<float>(texts.size(), 0.0f));
    }
    const auto id = [&](const char* key, std::optional<Token> token) {
      if (token) writer_.add(key, static_cast<std::uint32_t>(*token));
    };
    id("tokenizer.ggml.bos_token_id", model_.bos);
    id("tokenizer.ggml.eos_token_id", model_.eos);
    id("tokenizer.ggml.unknown_token_id", model_.unknown);
    writer_.add("tokenizer.ggml.add_bos_token", model_.add_bos);
    if (!model_.chat_template.empty()) writer_.add("tokenizer.chat_template", model_.chat_template);
  }

  void vector(const std::string& name, float value) {
    const auto dim = static_cast<std::size_t>(model_.dim);
    add(name, Format::f32, {dim}, std::vector<float>(dim, value));
  }

  /// A matrix inside a layer, [rows, dim].
  void inner(const std::string& name, std::uint64_t rows) {
    const auto dim = static_cast<std::uint64_t>(model_.dim);
    std::vector<float> values(static_cast<std::size_t>(rows * dim), 0.0f);
    if (model_.noise)
      for (float& value : values) {
        noise_ = mix(noise_);
        value = (static_cast<float>(noise_ >> 40) / 8388608.0f - 1.0f) * 0.3f;
      }
    add(name, model_.format, {dim, rows}, values);
  }

  void add(const std::string& name, Format format, std::vector<std::uint64_t> shape, const std::vector<float>& values) {
    data_.push_back(encode(format, values));
    writer_.add_tensor(name, format, std::move(shape), data_.back());
  }

  const ChainModel& model_;
  GgufWriter writer_;
  std::vector<std::vector<std::byte>> data_;
  std::uint64_t noise_ = 1;
};

std::string byte_name(unsigned byte) {
  constexpr char digits[] = "0123456789ABCDEF";
  return std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">";
}

ChainToken spell(const std::string& piece, Spelling spelling, const ByteAlphabet& alphabet) {
  if (spelling == Spelling::byte_level) return {alphabet.to_spelling(piece), TokenType::normal, 0};
  if (piece.size() == 1) return {byte_name(static_cast<unsigned char>(piece[0])), TokenType::byte, 0};
  std::string text;
  for (const char c : piece) text += c == ' ' ? std::string("\xE2\x96\x81") : std::string(1, c);
  return {text, TokenType::normal, 0};
}

} // namespace

ChainModel answer_model(const std::vector<std::string>& pieces, Spelling spelling, AnswerEnd end) {
  const ByteAlphabet alphabet;
  ChainModel model;
  model.spelling = spelling;
  for (const std::string& piece : pieces) model.tokens.push_back(spell(piece, spelling, alphabet));
  // Encoding takes the last of several tokens that are spelled alike. So what a prompt is made of stands behind the
  // answer, and whatever the prompt ends with is followed by token 0, the first piece.
  if (spelling == Spelling::sentencepiece)
    for (const std::string& piece : pieces)
      if (piece.size() > 1) model.tokens.push_back(spell(piece, spelling, alphabet));
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    model.tokens.push_back(spell(text, spelling, alphabet));
  }
  const auto control = [&](const char* text) {
    model.tokens.push_back({text, TokenType::control, 0});
    return static_cast<Token>(model.tokens.size() - 1);
  };
  if (spelling == Spelling::sentencepiece) {
    model.tokens.push_back({"<unk>", TokenType::unknown, 0});
    model.unknown = static_cast<Token>(model.tokens.size() - 1);
  }
  model.bos = control("<s>");
  model.eos = control("</s>");
  control("<|im_start|>");
  control("<|im_end|>");
  for (std::size_t i = 0; i < pieces.size(); ++i) model.tokens[i].successor = static_cast<Token>(i + 1);
  const Token after = end == AnswerEnd::again ? 0 : *model.eos;
  if (!pieces.empty()) model.tokens[pieces.size() - 1].successor = after;
  else
    for (ChainToken& token : model.tokens) token.successor = after;
  return model;
}

Token find_token(const ChainModel& model, const std::string& text) {
  for (std::size_t i = model.tokens.size(); i-- > 0;)
    if (model.tokens[i].text == text) return static_cast<Token>(i);
  throw std::invalid_argument("no token is spelled " + text);
}

std::vector<std::byte> chain_model_bytes(const ChainModel& model) {
  Builder builder(model);
  const GgufWriter& writer = builder.metadata();
  builder.tensors();
  return writer.bytes();
}

void write_chain_model(const ChainModel& model, const std::filesystem::path& path) {
  Builder builder(model);
  const GgufWriter& writer = builder.metadata();
  builder.tensors();
  writer.write(path);
}

void write_vocabulary(const ChainModel& model, const std::filesystem::path& path) {
  Builder builder(model);
  builder.metadata().write(path);
}

} // namespace kern::test
