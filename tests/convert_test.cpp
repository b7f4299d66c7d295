// Folders become the files that llama.cpp's converter makes of them.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include <doctest/doctest.h>

#include "cli/quantize_plan.h"
#include "convert/architecture.h"
#include "convert/model_card.h"
#include "convert/model_name.h"
#include "convert/special_tokens.h"
#include "kernels/cpu/memory.h"
#include "model/error.h"
#include "model/recode.h"
#include "tests/convert_fixture.h"
#include "tests/fixtures.h"
#include "tokenizer/tokenizer.h"

namespace kern {

namespace {

using nlohmann::json;

/// [type, value], or [type, elements, hash] for an array, as the references have them.
json describe_key(const MetadataValue& value) {
  static const std::map<MetadataType, std::string> names = {{MetadataType::u32, "UINT32"},
                                                            {MetadataType::i32, "INT32"},
                                                            {MetadataType::f32, "FLOAT32"},
                                                            {MetadataType::boolean, "BOOL"},
                                                            {MetadataType::string, "STRING"}};
  if (const auto* array = std::get_if<MetadataArray>(&value.data))
    return {names.at(array->type) + "[]", array->count, test::hash_of(array->bytes)};
  return std::visit(
      [&](const auto& held) -> json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, MetadataArray>) return nullptr;
        else return {names.at(value.type), held};
      },
      value.data);
}

json describe_tensor(const TensorInfo& tensor) {
  std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.begin() + tensor.rank);
  return {find_format(tensor.format)->name, shape, test::hash_of(tensor.bytes)};
}

/// Keys that quantizing sets rather than reading a folder.
bool set_when_written(const std::string& key) {
  return key == "general.file_type" || key == "general.quantization_version";
}

std::string reference_type(const json& reference, const FolderModel& model) {
  std::string type = reference.at("options").at(1).get<std::string>();
  if (type == "auto") return model.half_format() == Format::bf16 ? "BF16" : "F16";
  return type;
}

std::vector<float> decoded_floats(const TensorInfo& tensor) {
  ThreadPool pool(1);
  Recoder recoder(pool, choose_cpu_kernels(), "test");
  std::vector<float> floats(tensor.elements());
  std::size_t done = 0;
  recoder.recode(tensor, Format::f32, {}, [&](std::span<const std::byte> bytes) {
    std::memcpy(reinterpret_cast<std::byte*>(floats.data()) + done, bytes.data(), bytes.size());
    done += bytes.size();
  });
  REQUIRE(done == floats.size() * sizeof(float));
  return floats;
}

} // namespace

TEST_CASE("folders give the keys, tensors and bytes that llama.cpp's converter gives") {
  for (const std::string& name : test::convert_fixtures) {
    CAPTURE(name);
    const json reference = test::convert_reference(name);
    FolderOptions options;
    options.keep_exact = reference.at("options").at(1) == "auto";
    const FolderModel model = FolderModel::open(test::convert_folder(name), options);
    const std::string type = reference_type(reference, model);
    const auto bytes = test::converted(model, type, true);
    const Gguf gguf = Gguf::parse(bytes, name);
    CHECK(gguf.tensors().size() == reference.at("tensors").size());
    for (const auto& [tensor, expected] : reference.at("tensors").items()) {
      CAPTURE(tensor);
      REQUIRE(gguf.find(tensor));
      CHECK(describe_tensor(*gguf.find(tensor)) == expected);
    }
    for (const auto& [key, expected] : reference.at("keys").items()) {
      CAPTURE(key);
      if (set_when_written(key)) continue;
      REQUIRE(gguf.metadata().has(key));
      // llama.cpp gives every token of such a tokenizer the same score, and its text other tokens.
      if (name == "tiny-mistral" && key == "tokenizer.ggml.scores") continue;
      CHECK(describe_key(*gguf.metadata().find(key)) == expected);
    }
    for (const auto& [key, value] : gguf.metadata().values()) {
      CAPTURE(key);
      CHECK(reference.at("keys").contains(key));
    }
    const json keys = reference.at("keys");
    CHECK(keys.at("general.file_type").at(1) == find_mix(type)->file_type);
    CHECK(model.default_output(find_mix(type)->name).filename() == reference.at("file").get<std::string>());
    CHECK(model.warnings().empty());
  }
}

TEST_CASE("texts are the tokens that the folder's own tokenizer makes of them") {
  for (const std::string& name : test::convert_fixtures) {
    CAPTURE(name);
    const FolderModel model = FolderModel::open(test::convert_folder(name), {true, true});
    CHECK(model.source().tensors.empty());
    const auto tokenizer = Tokenizer::create(*model.source().metadata);
    for (const json& pair : test::convert_reference(name).at("texts")) {
      const std::string text = pair.at(0).get<std::string>();
      CAPTURE(text);
      EncodeOptions options;
      options.add_special = false;
      CHECK(tokenizer->encode(text, options) == pair.at(1).get<std::vector<Token>>());
    }
  }
}

TEST_CASE("4-bit matrices stay 4-bit matrices where that changes no weight") {
  const auto check = [](const std::string& name, const std::map<std::string, Format>& expected) {
    CAPTURE(name);
    const FolderModel exact = FolderModel::open(test::convert_folder(name), {false, true});
    const FolderModel plain = FolderModel::open(test::convert_folder(name), {false, false});
    const ModelSource source = exact.source();
    const ModelSource floats = plain.source();
    for (std::size_t i = 0; i < source.tensors.size(); ++i) {
      const TensorInfo& tensor = source.tensors[i];
      CAPTURE(tensor.name);
      if (tensor.rank < 2) continue;
      const auto known = expected.find(tensor.name);
      CHECK(tensor.format == (known == expected.end() ? floats.tensors[i].format : known->second));
      CHECK(decoded_floats(tensor) == decoded_floats(floats.tensors[i]));
    }
    // What stays is written as it is, and what goes through floats is in the 16-bit format.
    const auto bytes = test::converted(exact, "F16", true);
    const Gguf gguf = Gguf::parse(bytes, name);
    for (const TensorInfo& tensor : gguf.tensors()) {
      const auto known = expected.find(tensor.name);
      if (tensor.rank == 2) CHECK(tensor.format == (known == expected.end() ? Format::f16 : known->second));
    }
  };
  check("tiny-llama-gptq", {{"blk.0.attn_q.weight", Format::q4_0},
                            {"blk.0.attn_k.weight", Format::q4_0},
                            {"blk.0.ffn_down.weight", Format::q4_0}});
  check("tiny-qwen2-awq", {{"blk.0.ffn_up.weight", Format::q4_0}, {"blk.0.ffn_down.weight", Format::q4_1}});
}

TEST_CASE("other ways to write the same checkpoint give the same file") {
  const auto same = [](const std::string& name, const std::function<void(const test::FolderCopy&)>& change) {
    CAPTURE(name);
    const test::FolderCopy copy(name);
    const auto before = test::converted(FolderModel::open(copy.path(), {}), "F32");
    change(copy);
    CHECK(test::converted(FolderModel::open(copy.path(), {}), "F32") == before);
  };
  same("tiny-qwen2", [](const test::FolderCopy& copy) { // a header of odd length: numbers at odd places
    const std::string bytes = copy.read("model.safetensors");
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    copy.write("model.safetensors", test::safetensors_file(bytes.substr(8, size) + " ", bytes.substr(8 + size)));
  });
  same("tiny-qwen3-fp8", [](const test::FolderCopy& copy) {
    std::string bytes = copy.read("model.safetensors");
    for (std::size_t at = 0; (at = bytes.find("_scale_inv\"", at)) != std::string::npos;)
      bytes.replace(at, 11, "_scale\"    ");
    copy.write("model.safetensors", bytes);
    copy.edit("config.json", [](json& config) {
      const json weights = {{"num_bits", 8}, {"type", "float"}, {"strategy", "block"}, {"block_structure", {16, 32}}};
      config["quantization_config"] = {{"quant_method", "compressed-tensors"},
                                       {"format", "float-quantized"},
                                       {"config_groups", {{"group_0", {{"weights", weights}}}}}};
    });
  });
  same("tiny-llama-gptq", [](const test::FolderCopy& copy) {
    json quantization;
    copy.edit("config.json", [&](json& config) {
      quantization = config["quantization_config"];
      config.erase("quantization_config");
    });
    copy.write("quantize_config.json", quantization.dump());
  });
}

TEST_CASE("the second version of GPTQ's packing has zero points as they are") {
  const test::FolderCopy copy("tiny-llama-gptq");
  const FolderModel first = FolderModel::open(copy.path(), {false, false});
  const std::vector<float> before =
      decoded_floats(*std::ranges::find(first.source().tensors, std::string("blk.0.attn_v.weight"), &TensorInfo::name));
  copy.edit("config.json", [](json& config) { config["quantization_config"]["checkpoint_format"] = "gptq_v2"; });
  const FolderModel second = FolderModel::open(copy.path(), {false, false});
  const std::vector<float> after = decoded_floats(
      *std::ranges::find(second.source().tensors, std::string("blk.0.attn_v.weight"), &TensorInfo::name));
  // One less to subtract: every weight is larger by its group's scale.
  for (std::size_t i = 0; i < before.size(); i += 32) {
    const float scale = after[i] - before[i];
    CHECK(scale > 0.004f);
    for (std::size_t k = 1; k < 32; ++k) CHECK(after[i + k] - before[i + k] == doctest::Approx(scale));
  }
}

TEST_CASE("quantizing a folder is quantizing what it converts to") {
  for (const std::string name : {"Tiny-Llama-0.1M-Chat", "tiny-qwen3-fp8", "tiny-llama3"}) {
    CAPTURE(name);
    const FolderModel model = FolderModel::open(test::convert_folder(name), {});
    const auto whole_bytes = test::converted(model, "F32");
    const Gguf whole = Gguf::parse(whole_bytes, "whole");
    QuantizeOptions options;
    options.mix = find_mix("Q4_0");
    const QuantizePlan plan = plan_quantization(whole, options, nullptr);
    const auto direct_bytes = test::converted(model, "Q4_0");
    const Gguf direct = Gguf::parse(direct_bytes, "direct");
    ThreadPool pool(1);
    Recoder recoder(pool, choose_cpu_kernels(), "whole");
    for (const PlannedTensor& planned : plan.tensors) {
      CAPTURE(planned.tensor->name);
      std::vector<std::byte> bytes;
      recoder.recode(*planned.tensor, planned.format, {},
                     [&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
      const TensorInfo* tensor = direct.find(planned.tensor->name);
      REQUIRE(tensor);
      CHECK(tensor->format == planned.format);
      CHECK(std::ranges::equal(tensor->bytes, bytes));
    }
  }
}

TEST_CASE("names come apart as llama.cpp's converter takes them apart") {
  const json cases = test::convert_reference("names");
  for (const json& entry : cases.at("names")) {
    CAPTURE(entry.dump());
    const NameParts parts = split_model_name(entry.at(0).get<std::string>(), entry.at(1).get<std::uint64_t>());
    const auto same = [](const std::optional<std::string>& found, const json& expected) {
      return found ? expected == *found : expected.is_null();
    };
    CHECK(same(parts.name, entry.at(2)));
    CHECK(same(parts.organization, entry.at(3)));
    CHECK(same(parts.basename, entry.at(4)));
    CHECK(same(parts.finetune, entry.at(5)));
    CHECK(same(parts.version, entry.at(6)));
    CHECK(same(parts.size_label, entry.at(7)));
  }
  for (const json& entry : cases.at("titles"))
    CHECK(title_of(entry.at(0).get<std::string>()) == entry.at(1).get<std::string>());
  for (const json& entry : cases.at("sizes"))
    CHECK(size_label(entry.at(0).get<std::uint64_t>()) == entry.at(1).get<std::string>());
}

TEST_CASE("special tokens are what llama.cpp's converter believes them to be") {
  for (const json& entry : test::convert_reference("special")) {
    CAPTURE(entry.dump());
    const json& files = entry.at("files");
    const auto object = [&](const char* name) {
      return files.contains(name) ? std::optional(JsonObject(files.at(name), name)) : std::nullopt;
    };
    const auto tokenizer = object("tokenizer.json");
    const auto tokenizer_config = object("tokenizer_config.json");
    const auto config = object("config.json");
    SpecialSources sources;
    sources.tokenizer = tokenizer ? &*tokenizer : nullptr;
    sources.tokenizer_config = tokenizer_config ? &*tokenizer_config : nullptr;
    sources.config = &*config;
    sources.folder = "/nowhere";
    sources.vocab_size = 7;
    Keys keys;
    convert_special_tokens(sources, keys);
    GgufWriter writer;
    keys.write(writer);
    const auto bytes = writer.bytes();
    const Gguf gguf = Gguf::parse(bytes, "keys");
    json found = json::object();
    for (const auto& [key, value] : gguf.metadata().values()) found[key] = describe_key(value);
    CHECK(found == entry.at("keys"));
  }
}

TEST_CASE("config.json becomes keys, and names of transformers become names of GGUF") {
  json text = {{"architectures", {"LlamaModel"}},
               {"hidden_size", 32},
               {"intermediate_size", 64},
               {"num_hidden_layers", 2},
               {"num_attention_heads", 4},
               {"vocab_size", 10},
               {"rope_theta", 5000},
               {"rope_scaling", {{"type", "linear"}, {"factor", 2.5}}}};
  const auto read = [&](Keys& keys) { return read_config(JsonObject(text, "config.json"), keys); };
  Keys keys;
  const ModelConfig bare = read(keys);
  GgufWriter writer;
  keys.write(writer);
  const auto bytes = writer.bytes();
  const Gguf gguf = Gguf::parse(bytes, "keys");
  CHECK(gguf.metadata().get_string("llama.rope.scaling.type") == "linear");
  CHECK(gguf.metadata().get_float("llama.rope.scaling.factor") == 2.5);
  CHECK(gguf.metadata().get_float("llama.rope.freq_base") == 5000.0);
  CHECK(gguf.metadata().get_uint("llama.context_length") == 2048);
  CHECK(gguf.metadata().get_uint("llama.attention.head_count_kv") == 4);
  CHECK(gguf.metadata().get_uint("llama.attention.key_length") == 8);
  CHECK(gguf_tensor_name(bare, "layers.1.self_attn.q_proj.weight") == "blk.1.attn_q.weight");
  CHECK(gguf_tensor_name(bare, "embed_tokens.weight") == "token_embd.weight");
  CHECK_FALSE(gguf_tensor_name(bare, "model.embed_tokens.weight"));
  text["architectures"] = {"Qwen3ForCausalLM"};
  text["num_key_value_heads"] = 2;
  Keys others;
  const ModelConfig whole = read(others);
  CHECK(whole.head_dim == 128);
  CHECK(gguf_tensor_name(whole, "model.layers.0.self_attn.k_norm.weight") == "blk.0.attn_k_norm.weight");
  CHECK(gguf_tensor_name(whole, "model.layers.1.mlp.down_proj.bias") == "blk.1.ffn_down.bias");
  CHECK(expected_shape(whole, "blk.1.ffn_down.bias") == std::vector<std::uint64_t>{32});
  CHECK(expected_shape(whole, "blk.1.attn_output.weight") == std::vector<std::uint64_t>{32, 512});
  for (const char* unknown :
       {"model.layers.2.mlp.down_proj.weight", "model.layers.0.input_layernorm.bias",
        "model.layers.00000000000000000000000.mlp.x", "model.layers.99999999999999999999.mlp.up_proj.weight",
        "model.layers.-1.mlp.up_proj.weight", "model.layers.", "model.layers.1", "norm.weight", ""})
    CHECK_FALSE(gguf_tensor_name(whole, unknown));
  CHECK(reordered_heads(bare, "blk.0.attn_k.bias") == 4);
  CHECK(reordered_heads(whole, "blk.0.attn_k.weight") == 0);
  CHECK(is_buffer("model.layers.0.self_attn.rotary_emb.inv_freq"));
}

TEST_CASE("model cards say what they say plainly, and nothing else") {
  using Card = std::map<std::string, std::vector<std::string>>;
  CHECK(parse_front_matter("---\nlicense: mit\ntags:\n- a\n- \"b c\"\nlanguage: [en, 'de']\n---\n# x\n") ==
        Card{{"license", {"mit"}}, {"tags", {"a", "b c"}}, {"language", {"en", "de"}}});
  CHECK(parse_front_matter("---\nlicense: mit\n").empty());
  CHECK(parse_front_matter("# license: mit\n").empty());
  CHECK(parse_front_matter("---\r\nlicense: mit # as is\r\n---\r\n") == Card{{"license", {"mit"}}});
  CHECK(parse_front_matter(
            "---\nwidget:\n- text: hello\n  more: 1\nmodel-index:\n  name: x\nlicense: |\n  long\n---\n") == Card{});
  CHECK(parse_front_matter("---\n- a\n: b\nx: {a: 1}\n---\n") == Card{});
}

} // namespace kern
