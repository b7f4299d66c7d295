// What kern can't convert is refused in one line that says which file, what was found and what was expected.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "convert/architecture.h"
#include "convert/checkpoint.h"
#include "convert/safetensors.h"
#include "convert/sentencepiece_model.h"
#include "convert/splitting.h"
#include "convert/stored_rows.h"
#include "model/error.h"
#include "tests/convert_fixture.h"

namespace kern {

namespace {

using nlohmann::json;

bool says_all(const std::string& line, std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    if (line.find(part) == std::string::npos) return false;
  return true;
}

/// The error of a header over so many bytes of zeros.
std::string header_error(const std::string& header, std::size_t data = 16) {
  const std::string file = test::safetensors_file(header, std::string(data, '\0'));
  try {
    Safetensors::parse(std::as_bytes(std::span(file)), "t.safetensors");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::model);
    return error.what();
  }
  return "";
}

std::string protobuf_error(const std::string& bytes) {
  try {
    parse_sentencepiece(std::as_bytes(std::span(bytes)), "tokenizer.model");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

StoredTensor stored(StoredType type, std::vector<std::uint64_t> shape, const std::string& bytes) {
  return {"t", type, std::move(shape), std::as_bytes(std::span(bytes)), "f"};
}

std::vector<float> rows_of(const RowReader& reader, std::int64_t rows, std::size_t columns) {
  std::vector<float> out(static_cast<std::size_t>(rows) * columns);
  reader.read(0, rows, reinterpret_cast<std::byte*>(out.data()));
  return out;
}

std::string config_refusal(const std::string& name, const std::function<void(json&)>& change) {
  const test::FolderCopy copy(name);
  copy.edit("config.json", change);
  return test::refusal(copy.path());
}

std::string tokenizer_refusal(const std::string& name, const std::function<void(json&)>& change) {
  const test::FolderCopy copy(name);
  copy.edit("tokenizer.json", change);
  return test::refusal(copy.path());
}

} // namespace

TEST_CASE("models with other mathematics are refused by name") {
  const auto refused = [](const std::function<void(json&)>& change, std::initializer_list<const char*> parts,
                          const std::string& name = "tiny-llama3") {
    const std::string line = config_refusal(name, change);
    CAPTURE(line);
    CHECK(says_all(line, parts));
  };
  refused([](json& c) { c["architectures"] = {"GemmaForCausalLM"}; }, {"'GemmaForCausalLM'", "LlamaForCausalLM, "});
  refused([](json& c) { c.erase("architectures"); }, {"'architectures'", "found no class"});
  refused([](json& c) { c["hidden_act"] = "gelu"; }, {"'hidden_act'", "'gelu'", "silu"});
  refused([](json& c) { c["num_local_experts"] = 8; }, {"'num_local_experts'", "found 8"});
  refused([](json& c) { c["partial_rotary_factor"] = 0.5; }, {"'partial_rotary_factor'"});
  refused([](json& c) { c["rope_parameters"] = {{"rope_type", "longrope"}}; }, {"'longrope'", "default, linear, yarn"});
  refused([](json& c) { c["rope_parameters"] = {{"rope_type", "dynamic"}, {"factor", 2.0}}; }, {"'dynamic'"});
  refused([](json& c) { c["rope_parameters"]["factor"] = 0.0; }, {"factor"});
  refused([](json& c) { c["rope_scaling"] = {{"type", "llama3"}}; }, {"'llama3'", "yarn;"}, "tiny-qwen2");
  refused([](json& c) { c["rope_scaling"] = {{"type", "linear"}}; }, {"found no factor"}, "tiny-qwen2");
  refused([](json& c) { c["rope_scaling"]["mscale"] = 1.0; }, {"mscale"}, "tiny-qwen2");
  refused([](json& c) { c["num_hidden_layers"] = 0; }, {"'num_hidden_layers'", "found 0"});
  refused([](json& c) { c["num_hidden_layers"] = 4000000000u; }, {"at most 1024"});
  refused([](json& c) { c["hidden_size"] = -1; }, {"'hidden_size'", "-1"});
  refused([](json& c) { c["hidden_size"] = "32"; }, {"'hidden_size'", "'32'"});
  refused([](json& c) { c["num_key_value_heads"] = 3; }, {"divisor of the 4 heads"});
  refused([](json& c) { c["head_dim"] = 15; }, {"'head_dim'", "even"});
  refused([](json& c) { c["vocab_size"] = 16000000; }, {"expected [16000000, 32]"});
  refused([](json& c) { c["is_causal"] = false; }, {"'is_causal'"});
  refused(
      [](json& c) {
        c["quantization_config"] = {{"quant_method", "bitsandbytes"}};
      },
      {"'bitsandbytes'", "gptq or awq"});
  refused([](json& c) { c["quantization_config"]["bits"] = 8; }, {"found 8 bits"}, "tiny-llama-gptq");
  refused([](json& c) { c["quantization_config"]["group_size"] = 24; }, {"24"}, "tiny-llama-gptq");
  refused([](json& c) { c["quantization_config"]["checkpoint_format"] = "marlin"; }, {"'marlin'"}, "tiny-llama-gptq");
  refused([](json& c) { c["quantization_config"]["version"] = "gemv"; }, {"'gemv'"}, "tiny-qwen2-awq");
  refused([](json& c) { c["quantization_config"]["weight_block_size"] = {16}; }, {"[128, 128]"}, "tiny-qwen3-fp8");
}

TEST_CASE("folders that don't fit together are refused") {
  const auto folder_refusal = [](const std::string& name, const std::function<void(const test::FolderCopy&)>& change) {
    const test::FolderCopy copy(name);
    change(copy);
    return test::refusal(copy.path());
  };
  CHECK(says_all(folder_refusal("tiny-llama3", [](const auto& f) { f.remove("config.json"); }),
                 {"config.json", "no such file"}));
  CHECK(says_all(folder_refusal("tiny-llama3", [](const auto& f) { f.remove("tokenizer.json"); }),
                 {"tokenizer.json nor"}));
  CHECK(says_all(folder_refusal("tiny-qwen2", [](const auto& f) { f.remove("model.safetensors"); }),
                 {"found no model.safetensors"}));
  CHECK(says_all(folder_refusal("tiny-qwen2",
                                [](const auto& f) {
                                  f.remove("model.safetensors");
                                  f.write("pytorch_model.bin", "x");
                                }),
                 {"pytorch_model.bin", "save_pretrained"}));
  const std::string part = "model-00002-of-00002.safetensors";
  CHECK(says_all(folder_refusal("tiny-llama3", [&](const auto& f) { f.remove(part); }),
                 {part.c_str(), "index.json names it"}));
  CHECK(says_all(folder_refusal("tiny-llama3",
                                [](const auto& f) {
                                  f.edit("model.safetensors.index.json", [](json& index) {
                                    index["weight_map"]["model.norm.weight"] = "../model.safetensors";
                                  });
                                }),
                 {"'../model.safetensors'", "of this folder"}));
  CHECK(says_all(folder_refusal("tiny-llama3",
                                [](const auto& f) {
                                  f.edit("model.safetensors.index.json", [](json& index) {
                                    index["weight_map"]["model.other.weight"] = "model-00001-of-00002.safetensors";
                                  });
                                }),
                 {"'model.other.weight'", "missing"}));
  CHECK(says_all(folder_refusal("tiny-llama3",
                                [](const auto& f) {
                                  f.edit("model.safetensors.index.json",
                                         [](json& index) { index["weight_map"].erase("model.norm.weight"); });
                                }),
                 {"'model.norm.weight'", "isn't named"}));
  CHECK(says_all(folder_refusal("tiny-llama3", [](const auto& f) { f.write("model.safetensors.index.json", "{}"); }),
                 {"'weight_map'", "missing"}));
  CHECK(says_all(folder_refusal("tiny-qwen2", [](const auto& f) { f.write("config.json", "{\"a\": [1, 2"); }),
                 {"config.json", "offset", "no JSON"}));
  CHECK(says_all(folder_refusal("tiny-qwen2", [](const auto& f) { f.write("config.json", "[]"); }),
                 {"expected an object"}));
  CHECK(says_all(folder_refusal("tiny-qwen2", [](const auto& f) { f.write("tokenizer.json", std::string(100, '[')); }),
                 {"tokenizer.json", "deeper than 64"}));
  CHECK(says_all(folder_refusal("tiny-qwen2", [](const auto& f) { f.write("modules.json", "[]"); }),
                 {"modules.json", "pooling"}));
  CHECK(says_all(
      folder_refusal("tiny-qwen2",
                     [](const auto& f) { f.edit("config.json", [](json& c) { c["num_hidden_layers"] = 3; }); }),
      {"found no tensor for blk.2.", "3 layers"}));
  CHECK(says_all(
      folder_refusal("tiny-qwen2",
                     [](const auto& f) { f.edit("config.json", [](json& c) { c["num_hidden_layers"] = 1; }); }),
      {"tensor 'model.layers.1.", "Qwen2ForCausalLM doesn't have"}));
  CHECK(says_all(
      folder_refusal("tiny-qwen3",
                     [](const auto& f) { f.edit("config.json", [](json& c) { c["tie_word_embeddings"] = false; }); }),
      {"found no tensor for output.weight"}));
}

TEST_CASE("tokenizers that GGUF has no words for are refused by name") {
  const auto refused = [](const std::function<void(json&)>& change, std::initializer_list<const char*> parts) {
    const std::string line = tokenizer_refusal("tiny-qwen2", change);
    CAPTURE(line);
    CHECK(says_all(line, parts));
  };
  refused([](json& t) { t["model"]["type"] = "Unigram"; }, {"'model.type'", "'Unigram'"});
  refused([](json& t) { t["model"]["end_of_word_suffix"] = "</w>"; }, {"end_of_word_suffix"});
  refused([](json& t) { t["normalizer"] = {{"type", "Lowercase"}}; }, {"'Lowercase'", "NFC"});
  refused([](json& t) { t["pre_tokenizer"] = nullptr; }, {"'pre_tokenizer'", "found none"});
  refused([](json& t) { t["pre_tokenizer"] = {{"type", "Whitespace"}}; }, {"'Whitespace'"});
  refused([](json& t) { t["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\w+"; }, {"\\w+", "llama-bpe"});
  refused([](json& t) { t["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "MergedWithNext"; }, {"'MergedWithNext'"});
  refused([](json& t) { t["model"]["vocab"]["!"] = 5000; }, {"'!'", "5000", "vocab_size"});
  refused([](json& t) { t["model"]["vocab"]["!"] = -1; }, {"-1"});
  refused([](json& t) { t["model"]["merges"][0] = "ab"; }, {"two tokens"});
  refused([](json& t) { t["model"].erase("merges"); }, {"'model.merges'", "missing"});
  refused([](json& t) { t["added_tokens"][0]["id"] = 100000; }, {"100000"});
  refused([](json& t) { t["added_tokens"] = 3; }, {"'added_tokens'", "expected an array"});
}

TEST_CASE("safetensors headers that lie are refused") {
  const auto refused = [](const std::string& header, std::initializer_list<const char*> parts, std::size_t data = 16) {
    const std::string line = header_error(header, data);
    CAPTURE(header);
    CAPTURE(line);
    CHECK(says_all(line, parts));
    CHECK(line.starts_with("t.safetensors: "));
  };
  const std::string good = R"("a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]})";
  CHECK(header_error("{" + good + "}").empty());
  CHECK(header_error(R"({"__metadata__":{"x":"y","z":{"a":[1,null,-2,0.5,true]}},)" + good + "}").empty());
  refused("{" + good + "}", {"tensor 'a'", "found bytes 0 to 16 of 15"}, 15);
  refused(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,16]}})",
          {"found 16 bytes, expected 24 for F32 [2, 3]"});
  refused(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})", {"found bytes 16 to 0"});
  refused(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0]}})", {"data_offsets"});
  refused(R"({"a":{"dtype":"F32","data_offsets":[0,16]}})", {"dtype, shape"});
  refused(R"({"a":{"dtype":"F31","shape":[4],"data_offsets":[0,16]}})", {"'F31'", "expected one of F32"});
  refused(R"({"a":{"dtype":3,"shape":[4],"data_offsets":[0,16]}})", {"the number 3"});
  refused(R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})", {"negative"});
  refused(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,16]}})", {"fraction"});
  refused(R"({"a":{"dtype":"F32","shape":[[4]],"data_offsets":[0,16]}})", {"an array"});
  refused(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,16]}})", {"more than 8"});
  refused(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})", {"2^48"});
  refused("{" + good + "," + good + "}", {"tensor 'a'", "twice"});
  refused("{" + good + R"(,"b":{"dtype":"U8","shape":[4],"data_offsets":[12,16]}})", {"tensor 'b'", "within 'a'"});
  refused(R"({"a":3})", {"the number 3"});
  refused(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":{}}})", {"an object"});
  refused("{" + good, {"no JSON"});
  refused("[]", {"'{'"});
  refused("{\"a\":" + std::string(100, '['), {"deeper than 64"});
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\x7f{}";
  CHECK_THROWS_WITH_AS(Safetensors::parse(std::as_bytes(std::span(huge)), "h"),
                       doctest::Contains("found a header of 9223372036854775807 bytes"), Error);
  CHECK_THROWS_AS(Safetensors::parse(std::as_bytes(std::span(huge)).first(7), "h"), Error);
}

TEST_CASE("sentencepiece models that lie are refused") {
  const std::string piece("\x0a\x05\x0a\x01x\x18\x01", 7);
  CHECK(protobuf_error(piece).empty());
  CHECK(says_all(protobuf_error(""), {"found no pieces"}));
  CHECK(says_all(protobuf_error(piece + "\x0a\x7f"), {"needs 127 bytes", "ends after 0"}));
  CHECK(says_all(protobuf_error(piece + "\x0a\x02\x0a\x09"), {"needs 9 bytes"}));
  CHECK(says_all(protobuf_error(piece + std::string(11, '\xff')), {"more than 10 bytes"}));
  CHECK(says_all(protobuf_error(piece + "\x0b"), {"wire type 3"}));
  CHECK(says_all(protobuf_error(std::string("\x0a\x02\x18\x07", 4)), {"piece of type 7"}));
  CHECK(says_all(protobuf_error(std::string("\x0a\x05\x15\x00\x00\xc0\x7f", 7)), {"no finite number"}));
  const test::FolderCopy copy("Tiny-Llama-0.1M-Chat");
  std::string unigram = copy.read("tokenizer.model");
  unigram += std::string("\x12\x02\x18\x01", 4); // a later trainer_spec counts
  copy.write("tokenizer.model", unigram);
  CHECK(says_all(test::refusal(copy.path()), {"tokenizer.model", "unigram"}));
}

TEST_CASE("FP8 weights take one scale, one a row, or one a block") {
  const std::string bytes("\x38\x40\xb8\x01\x7e\x00\x08\xc4", 8); // 1, 2, -1, 2^-9, 448, 0, 2^-6, -3
  const StoredTensor weights = stored(StoredType::f8_e4m3, {2, 4}, bytes);
  const auto scale_bytes = [](std::vector<float> values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  };
  using Floats = std::vector<float>;
  CHECK(rows_of(*make_fp8_rows(weights, nullptr, {}, {}), 2, 4) ==
        Floats{1.0f, 2.0f, -1.0f, 0x1p-9f, 448.0f, 0.0f, 0x1p-6f, -3.0f});
  const std::string one = scale_bytes({2.0f});
  const StoredTensor scalar = stored(StoredType::f32, {}, one);
  CHECK(rows_of(*make_fp8_rows(weights, &scalar, {}, {}), 2, 4)[7] == -6.0f);
  const std::string two = scale_bytes({2.0f, 4.0f});
  for (const std::vector<std::uint64_t>& shape : {std::vector<std::uint64_t>{2}, {2, 1}}) {
    const StoredTensor rows = stored(StoredType::f32, shape, two);
    const Floats found = rows_of(*make_fp8_rows(weights, &rows, {}, {}), 2, 4);
    CHECK(found[0] == 2.0f);
    CHECK(found[7] == -12.0f);
  }
  const StoredTensor blocks = stored(StoredType::f32, {1, 2}, two);
  const std::uint64_t size[] = {2, 3};
  const Floats found = rows_of(*make_fp8_rows(weights, &blocks, size, {}), 2, 4);
  CHECK(found[2] == -2.0f);
  CHECK(found[3] == 0x1p-7f);
  CHECK(found[7] == -12.0f);
  const std::uint64_t wrong[] = {2, 2, 2};
  CHECK_THROWS_AS(make_fp8_rows(weights, &blocks, wrong, {}), Error);
  CHECK_THROWS_AS(make_fp8_rows(weights, &blocks, {}, {}), Error);
  const StoredTensor words = stored(StoredType::i32, {2}, two);
  CHECK_THROWS_AS(make_fp8_rows(weights, &words, {}, {}), Error);
}

TEST_CASE("FP8 that stands for no number is refused with its row") {
  const test::FolderCopy copy("tiny-qwen3-fp8");
  std::string bytes = copy.read("model.safetensors");
  const auto tensors = Safetensors::parse(std::as_bytes(std::span(bytes)), "m");
  for (const StoredTensor& tensor : tensors)
    if (tensor.name == "model.layers.0.mlp.up_proj.weight")
      bytes[static_cast<std::size_t>(tensor.bytes.data() - reinterpret_cast<const std::byte*>(bytes.data())) + 32 * 3] =
          '\x7f';
  copy.write("model.safetensors", bytes);
  const FolderModel model = FolderModel::open(copy.path(), {});
  CHECK_THROWS_WITH_AS(test::converted(model, "F16"), doctest::Contains("blk.0.ffn_up.weight, row 3"), Error);
}

TEST_CASE("ways of splitting are recognized by their patterns") {
  const auto name_of = [](const json& steps, bool words_first = false) {
    json tokenizer = {{"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", steps}}},
                      {"model", {{"ignore_merges", words_first}}},
                      {"added_tokens", json::array()}};
    return recognize_splitting(JsonObject(tokenizer, "tokenizer.json")).name;
  };
  const auto split = [](const char* regex) {
    return json{{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}};
  };
  const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const json gpt2 = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  const json digits = {{"type", "Digits"}, {"individual_digits", true}};
  CHECK(name_of(json::array({gpt2})) == "gpt-2");
  CHECK(name_of({digits, gpt2}) == "smollm");
  CHECK(name_of({split("[\\r\\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), split("[一-龥ࠀ-一가-\xed\x9f\xbf]+"),
                 digits, bytes}) == "deepseek-coder");
  CHECK(
      name_of(
          {split("\\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"),
           split(
               R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"),
           bytes}) == "deepseek-v3");
  const char* llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  CHECK(name_of({split(llama3), bytes}, true) == "llama-bpe");
  CHECK(name_of({split(llama3), bytes}, false) == "smaug-bpe");
  CHECK(spell_pattern("[a-é]|🦊") == "[a-\\x{e9}]|\\x{1f98a}");
}

} // namespace kern
