#include "tests/random_model.h"

#include <cmath>
#include <stdexcept>

#include "model/gguf_writer.h"
#include "tests/random_blocks.h"
#include "tokenizer/unicode.h"

namespace kern::test {

namespace {

void add_vocabulary(GgufWriter& writer, int size) {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  const ByteAlphabet alphabet;
  for (int byte = 0; byte < 256; ++byte)
    tokens.push_back(alphabet.to_spelling(std::string(1, static_cast<char>(byte))));
  while (tokens.size() + 1 < static_cast<std::size_t>(size)) tokens.push_back("word" + std::to_string(tokens.size()));
  types.assign(tokens.size(), 1);
  tokens.push_back("<|endoftext|>");
  types.push_back(3);
  writer.add("tokenizer.ggml.model", "gpt2");
  writer.add("tokenizer.ggml.pre", "gpt-2");
  writer.add("tokenizer.ggml.tokens", tokens);
  writer.add("tokenizer.ggml.token_type", types);
  writer.add("tokenizer.ggml.merges", std::vector<std::string>{"w o", "r d"});
  writer.add("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(size - 1));
  writer.add("tokenizer.ggml.add_bos_token", false);
}

void add_metadata(GgufWriter& writer, const ModelShape& shape) {
  const std::string prefix = std::string(shape.architecture) + ".";
  const auto size = [&](const char* key, int value) { writer.add(prefix + key, static_cast<std::uint32_t>(value)); };
  writer.add("general.architecture", shape.architecture);
  writer.add("general.name", std::string("random ") + shape.name);
  size("block_count", shape.layers);
  size("context_length", shape.context);
  size("embedding_length", shape.dim);
  size("feed_forward_length", shape.hidden_dim);
  size("attention.head_count", shape.heads);
  size("attention.head_count_kv", shape.kv_heads);
  size("attention.key_length", shape.head_dim);
  size("attention.value_length", shape.head_dim);
  size("rope.dimension_count", shape.head_dim);
  writer.add(prefix + "rope.freq_base", static_cast<float>(shape.rope_base));
  writer.add(prefix + "attention.layer_norm_rms_epsilon", 1e-5f);
  add_vocabulary(writer, shape.vocab_size);
}

class Tensors {
public:
  Tensors(GgufWriter& writer, const RandomModel& model) : writer_(writer), model_(model), seed_(model.seed << 32) {}

  void matrix(std::string name, int rows, int columns, Format format) {
    const Format stored = model_.as_floats ? Format::f32 : format;
    const std::uint64_t seed = ++seed_;
    const auto count = static_cast<std::size_t>(columns);
    const bool as_floats = model_.as_floats;
    writer_.add_tensor(std::move(name), stored, {count, static_cast<std::uint64_t>(rows)},
                       [=](const GgufWriter::Sink& sink) {
                         RandomBits random(seed);
                         std::vector<std::byte> row(row_bytes(format, count));
                         std::vector<float> floats(count);
                         for (int r = 0; r < rows; ++r) {
                           // Keeps activations of order 1 from layer to layer.
                           fill_random(format, row, 1.0f / std::sqrt(static_cast<float>(columns)), random);
                           if (!as_floats) {
                             sink(row);
                             continue;
                           }
                           visit_format(format, [&]<class Traits>(Traits) {
                             const auto* blocks = reinterpret_cast<const typename Traits::Block*>(row.data());
                             for (std::size_t b = 0; b < count / Traits::width; ++b)
                               Traits::decode(blocks[b], floats.data() + b * Traits::width);
                           });
                           sink(std::as_bytes(std::span(floats)));
                         }
                       });
  }

  void norm(std::string name, int size) {
    const std::uint64_t seed = ++seed_;
    writer_.add_tensor(std::move(name), Format::f32, {static_cast<std::uint64_t>(size)},
                       [=](const GgufWriter::Sink& sink) {
                         RandomBits random(seed);
                         std::vector<float> weights(static_cast<std::size_t>(size));
                         for (float& weight : weights) weight = 1.0f + 0.1f * random.normal();
                         sink(std::as_bytes(std::span(weights)));
                       });
  }

private:
  GgufWriter& writer_;
  const RandomModel& model_;
  std::uint64_t seed_;
};

void add_tensors(GgufWriter& writer, const RandomModel& model) {
  const ModelShape& s = model.shape;
  Tensors tensors(writer, model);
  tensors.matrix("token_embd.weight", s.vocab_size, s.dim, s.tied ? model.output_format : model.format);
  for (int i = 0; i < s.layers; ++i) {
    const std::string prefix = "blk." + std::to_string(i) + ".";
    tensors.norm(prefix + "attn_norm.weight", s.dim);
    tensors.matrix(prefix + "attn_q.weight", s.heads * s.head_dim, s.dim, model.format);
    tensors.matrix(prefix + "attn_k.weight", s.kv_heads * s.head_dim, s.dim, model.format);
    tensors.matrix(prefix + "attn_v.weight", s.kv_heads * s.head_dim, s.dim, model.format);
    if (std::string(s.architecture) == "qwen3") {
      tensors.norm(prefix + "attn_q_norm.weight", s.head_dim);
      tensors.norm(prefix + "attn_k_norm.weight", s.head_dim);
    }
    tensors.matrix(prefix + "attn_output.weight", s.dim, s.heads * s.head_dim, model.format);
    tensors.norm(prefix + "ffn_norm.weight", s.dim);
    tensors.matrix(prefix + "ffn_gate.weight", s.hidden_dim, s.dim, model.format);
    tensors.matrix(prefix + "ffn_up.weight", s.hidden_dim, s.dim, model.format);
    tensors.matrix(prefix + "ffn_down.weight", s.dim, s.hidden_dim, model.format);
  }
  tensors.norm("output_norm.weight", s.dim);
  if (!s.tied) tensors.matrix("output.weight", s.vocab_size, s.dim, model.output_format);
}

} // namespace

const std::vector<ModelShape>& model_shapes() {
  static const std::vector<ModelShape> shapes = {
      {"tiny", "llama", 256, 2, 4, 2, 64, 512, 300, 512, 10000.0, false},
      {"tinyllama-1.1b", "llama", 2048, 22, 32, 4, 64, 5632, 32000, 2048, 10000.0, false},
      {"llama-3.2-1b", "llama", 2048, 16, 32, 8, 64, 8192, 128256, 131072, 500000.0, true},
      {"qwen3-0.6b", "qwen3", 1024, 28, 16, 8, 128, 3072, 151936, 40960, 1000000.0, true},
      {"llama-3.1-8b", "llama", 4096, 32, 32, 8, 128, 14336, 128256, 131072, 500000.0, false},
  };
  return shapes;
}

const ModelShape& find_shape(const std::string& name) {
  std::string known;
  for (const ModelShape& shape : model_shapes()) {
    if (name == shape.name) return shape;
    known += (known.empty() ? "" : ", ") + std::string(shape.name);
  }
  throw std::invalid_argument("unknown shape '" + name + "', expected one of " + known);
}

void write_random_model(const RandomModel& model, const std::filesystem::path& path) {
  GgufWriter writer;
  add_metadata(writer, model.shape);
  add_tensors(writer, model);
  writer.write(path);
}

std::vector<std::byte> random_model_bytes(const RandomModel& model) {
  GgufWriter writer;
  add_metadata(writer, model.shape);
  add_tensors(writer, model);
  return writer.bytes();
}

} // namespace kern::test
