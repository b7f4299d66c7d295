// kern info and kern tokenize.
#include <random>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

TEST_CASE("info says what a file holds") {
  const Models models;
  ChainModel model = answer_model({"x"});
  model.chat_template = chatml_template;
  model.format = Format::q8_0;
  model.layers = 3;
  const std::string path = models.add(model);
  const auto result = kern({"info", path});
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  for (const char* part : {"chain", "llama", "GGUF v3", "Q8_0", "gpt2", "gpt-2", "ChatML", "1024", "layers 0-2"})
    CHECK(contains(result.out, part));
  CHECK_FALSE(contains(result.out, "token_embd.weight"));
  CHECK(kern({"info", "-m", path}).out == result.out);

  const auto all = kern({"info", path, "--metadata", "--tensors", "--plan"});
  CHECK(all.code == 0);
  for (const char* part : {"llama.context_length", "tokenizer.ggml.tokens", "token_embd.weight",
                           "blk.2.ffn_down.weight", "output.weight", "weights, mapped", "KV cache", "scratch"})
    CHECK(contains(all.out, part));
}

TEST_CASE("info --json is JSON with the same figures") {
  const Models models;
  const ChainModel model = answer_model({"x"});
  const std::string path = models.add(model);
  const auto json = nlohmann::json::parse(kern({"info", path, "--json", "--plan", "-c", "256"}).out);
  CHECK(json["path"] == path);
  CHECK(json["version"] == 3);
  CHECK(json["bytes"] == std::filesystem::file_size(path));
  CHECK(json["metadata"]["general.architecture"] == "llama");
  CHECK(json["metadata"]["llama.context_length"] == 1024);
  CHECK(json["spec"]["dim"] == 64);
  CHECK(json["spec"]["vocab_size"] == model.tokens.size());
  CHECK(json["spec"]["layers"].size() == 1);
  CHECK(json["tensors"].size() == 12);
  CHECK(json["tensors"][0]["name"] == "token_embd.weight");
  CHECK(json["tensors"][0]["format"] == "F32");
  CHECK(json["tensors"][0]["shape"] == std::vector<std::size_t>{64, model.tokens.size()});
  CHECK(json["plan"]["context"] == 256);
  // 256 positions of 32 keys and 32 values as f16
  CHECK(json["plan"]["cache_bytes"] == 256 * (32 + 32) * 2);
  const auto half =
      nlohmann::json::parse(kern({"info", path, "--json", "--plan", "-c", "256", "--positions", "128"}).out);
  CHECK(half["plan"]["cache_bytes"] == 256 * (32 + 32) * 2);
  CHECK(half["plan"]["cache_bytes_at_positions"] == 128 * (32 + 32) * 2);
}

TEST_CASE("info looks at a vocabulary without a model") {
  const Models models;
  const std::string path = models.path("vocabulary.gguf");
  write_vocabulary(answer_model({"x"}, Spelling::sentencepiece), path);
  const auto result = kern({"info", path});
  CHECK(result.code == 0);
  CHECK(contains(result.out, "0 tensors"));
  const auto json = nlohmann::json::parse(kern({"info", path, "--json"}).out);
  CHECK(json["tensors"].empty());
  CHECK_FALSE(json.contains("spec"));
}

TEST_CASE("info --json is JSON also of a file with texts that are none") {
  const Models models;
  ChainModel model = answer_model({"x"});
  model.name = "a\xFFz";
  const auto json = nlohmann::json::parse(kern({"info", models.add(model), "--json"}).out);
  CHECK(json["metadata"]["general.name"] == "a\xEF\xBF\xBDz");
}

TEST_CASE("tokenize prints ids, and a line a token") {
  const Models models;
  const ChainModel model = answer_model({"x"});
  const std::string path = models.add(model);
  const std::string a = std::to_string(find_token(model, "a"));
  const std::string b = std::to_string(find_token(model, "b"));
  CHECK(kern({"tokenize", "-m", path, "--ids", "abba"}).out == a + " " + b + " " + b + " " + a + "\n");
  const auto lines = kern({"tokenize", "-m", path, "ab\n\x1b"});
  CHECK(std::ranges::count(lines.out, '\n') == 4);
  CHECK(contains(lines.out, a + "  'a'\n"));
  CHECK(contains(lines.out, "'\\n'\n"));
  CHECK(contains(lines.out, "'\\x1b'\n"));
  const auto json = nlohmann::json::parse(kern({"tokenize", "-m", path, "--json", "ab"}).out);
  REQUIRE(json.size() == 2);
  CHECK(json[0]["id"] == find_token(model, "a"));
  CHECK(json[1]["text"] == "b");
}

TEST_CASE("tokenize adds BOS and understands control tokens as it is told to") {
  const Models models;
  ChainModel model = answer_model({"x"});
  model.add_bos = true;
  const std::string path = models.add(model);
  const auto ids = [&](const Words& arguments) {
    Words all{"tokenize", "-m", path, "--ids"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return kern(all).out;
  };
  const std::string bos = std::to_string(*model.bos);
  const std::string a = std::to_string(find_token(model, "a"));
  CHECK(ids({"a"}) == bos + " " + a + "\n");
  CHECK(ids({"a", "--no-bos"}) == a + "\n");
  CHECK(ids({"<s>a", "--parse-special"}) == bos + " " + a + "\n");
  CHECK(std::ranges::count(ids({"<s>a"}), ' ') == 4);
}

TEST_CASE("tokenize and --decode give back every byte") {
  const Models models;
  std::mt19937 random(1);
  for (const Spelling spelling : {Spelling::byte_level, Spelling::sentencepiece}) {
    ChainModel model = answer_model({"x", "yz"}, spelling);
    model.add_bos = spelling == Spelling::sentencepiece;
    const std::string path = models.add(model);
    for (int round = 0; round < 3; ++round) {
      std::string bytes = round == 0 ? " leading and trailing space \n" : "";
      for (int i = 0; i < 2000; ++i) bytes += static_cast<char>(random());
      const auto ids = kern({"tokenize", "-m", path, "--ids"}, piped(bytes));
      CHECK(ids.code == 0);
      const auto decoded = kern({"tokenize", "-m", path, "--decode"}, piped(ids.out));
      CHECK(decoded.code == 0);
      CHECK(decoded.out == bytes);
      // JSON's brackets and commas are as good as spaces.
      std::string list = "[" + ids.out + "]";
      std::ranges::replace(list, ' ', ',');
      CHECK(kern({"tokenize", "-m", path, "--decode"}, piped(list)).out == bytes);
    }
  }
}

TEST_CASE("decoded control characters are escaped for a terminal") {
  const Models models;
  const std::string path = models.add(answer_model({"\x1b"}));
  ProcessOptions options;
  options.out = Output::terminal;
  CHECK(kern({"tokenize", "-m", path, "--decode", "0"}, options).out == "\\x1b\n");
  CHECK(kern({"tokenize", "-m", path, "--decode", "0"}).out == "\x1b");
}

TEST_CASE("tokenize --json is JSON also of tokens that are parts of characters") {
  const Models models;
  const auto result = kern({"tokenize", "-m", models.add(answer_model({"x"})), "--json", "\xC3\xA9"});
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json.size() == 2);
  CHECK(json[0]["text"] == "\xEF\xBF\xBD");
}

TEST_CASE("--pre splits text by another pattern, and knows only patterns") {
  const Models models;
  ChainModel model = answer_model({"x"});
  const std::string path = models.add(model);
  CHECK(kern({"tokenize", "-m", path, "--ids", "--pre", "llama-bpe", "hi 123"}).code == 0);
  const auto wrong = kern({"tokenize", "-m", path, "--pre", "nonsense", "hi"});
  CHECK(wrong.code == 2);
  CHECK(is_one_line(wrong.err));
  CHECK(contains(wrong.err, "nonsense"));
  CHECK(contains(wrong.err, "llama-bpe"));
}

} // namespace
} // namespace kern::test
