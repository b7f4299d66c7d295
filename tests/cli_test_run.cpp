// kern run: what it answers, and what stands where.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

TEST_CASE("standard output carries the answer and nothing else") {
  const Models models;
  for (const Spelling spelling : {Spelling::byte_level, Spelling::sentencepiece})
    for (const Format format : {Format::f32, Format::q8_0, Format::q4_0}) {
      ChainModel model = answer_model(hello, spelling);
      model.format = format;
      const auto result = kern({"run", "-m", models.add(model), "Who are you? "});
      CHECK(result.code == 0);
      CHECK(result.out == "Hello, world.\n");
      CHECK(contains(result.err, "answer  4 tokens"));
      CHECK(contains(result.err, "the model ended its answer"));
      CHECK(contains(result.err, "seed "));
      CHECK_FALSE(contains(result.err, "world"));
    }
}

TEST_CASE("-q silences standard error") {
  const Models models;
  const auto result = answer(models.add(answer_model(hello)), {"hi"});
  CHECK(result.out == "Hello, world.\n");
  CHECK(result.err.empty());
}

TEST_CASE("the last line is a whole line, and no line is added") {
  const Models models;
  CHECK(answer(models.add(answer_model({"a\n", "b", "\n"})), {"hi"}).out == "a\nb\n");
  CHECK(answer(models.add(answer_model({})), {"hi"}).out.empty());
}

TEST_CASE("characters whose bytes are tokens of their own arrive whole") {
  const Models models;
  for (const Spelling spelling : {Spelling::byte_level, Spelling::sentencepiece}) {
    const std::string model = models.add(answer_model({"\xF0", "\x9F", "\xA6", "\x99", "!", "\xC3", "\xA9"}, spelling));
    CHECK(answer(model, {"hi"}).out == "\xF0\x9F\xA6\x99!\xC3\xA9\n");
    CHECK(answer_json(model, {"hi"})["text"] == "\xF0\x9F\xA6\x99!\xC3\xA9");
    // What was given of a character that -n cuts is not dropped.
    CHECK(answer(model, {"hi", "-n", "2"}).out == "\xF0\x9F\n");
  }
}

TEST_CASE("bytes that are no text pass through a pipe, and the report is JSON all the same") {
  const Models models;
  const std::string model = models.add(answer_model({"\xFF", "a", "\xC0", "\xF0", "\x9F"}));
  CHECK(answer(model, {"hi"}).out == "\xFF"
                                     "a\xC0\xF0\x9F\n");
  const auto report = answer_json(model, {"hi"});
  CHECK(contains(report["text"].get<std::string>(), "\xEF\xBF\xBD"
                                                    "a\xEF\xBF\xBD"));
  CHECK(report["generated_tokens"] == 5);
}

TEST_CASE("-n gives so many tokens") {
  const Models models;
  const std::string model = models.add(answer_model({"la", "li", "lu"}, Spelling::byte_level, AnswerEnd::again));
  const auto result = kern({"run", "-m", model, "-n", "5", "hi"});
  CHECK(result.code == 0);
  CHECK(result.out == "lalilulali\n");
  CHECK(contains(result.err, "all tokens asked for were given"));
  const auto none = answer(model, {"-n", "0", "hi"});
  CHECK(none.code == 0);
  CHECK(none.out.empty());
}

TEST_CASE("a stop string ends the answer before it, however it is split") {
  const Models models;
  const std::string model = models.add(answer_model({"Once ", "ST", "O", "P", " more", "."}));
  CHECK(answer(model, {"-r", "STOP", "hi"}).out == "Once \n");
  CHECK(answer(model, {"-r", "OP mo", "hi"}).out == "Once ST\n");
  CHECK(answer(model, {"-r", "more", "-r", "ce S", "hi"}).out == "On\n");
  CHECK(answer(model, {"-r", "STOX", "-r", ".!", "hi"}).out == "Once STOP more.\n");
  const auto report = answer_json(model, {"--stop", "STOP", "hi"});
  CHECK(report["text"] == "Once ");
  CHECK(report["reason"] == "stop");
  CHECK(report["stop"] == "STOP");
  CHECK(report["exit_code"] == 0);
}

TEST_CASE("--json reports what the plain run prints") {
  const Models models;
  const std::string path = models.add(answer_model(hello));
  const auto result = kern({"run", "-m", path, "--json", "-s", "7", "abc"});
  CHECK(result.code == 0);
  const auto report = nlohmann::json::parse(result.out);
  CHECK(report["text"] == "Hello, world.");
  CHECK(report["reason"] == "end");
  CHECK(report["exit_code"] == 0);
  CHECK(report["prompt_tokens"] == 3);
  CHECK(report["generated_tokens"] == 4);
  CHECK(report["tokens"] == std::vector<int>{0, 1, 2, 3});
  CHECK(report["seed"] == 7);
  CHECK(report["model"]["path"] == path);
  CHECK(report["model"]["name"] == "chain");
  CHECK(report["model"]["architecture"] == "llama");
  CHECK(report["model"]["format"] == "F32");
  CHECK(report["model"]["bytes"] == std::filesystem::file_size(path));
  for (const char* key : {"device", "context", "cache", "sampling", "timings", "kern"}) CHECK(report.contains(key));
  for (const char* key : {"load_seconds", "prefill_seconds", "first_token_seconds", "decode_seconds"})
    CHECK(report["timings"][key].get<double>() >= 0.0);
}

TEST_CASE("--json says the exit code of a run that was cut") {
  const Models models;
  const std::string model = models.add(answer_model({"la"}, Spelling::byte_level, AnswerEnd::again));
  const auto result = answer(model, {"--json", "-c", "10", "hi"});
  CHECK(result.code == 5);
  const auto report = nlohmann::json::parse(result.out);
  CHECK(report["exit_code"] == 5);
  CHECK(report["reason"] == "context");
  CHECK(report["generated_tokens"] == 8);
  CHECK(report["context"] == 10);
}

TEST_CASE("a chat template gets the prompt as the user's turn") {
  const Models models;
  ChainModel chat = answer_model(hello);
  chat.chat_template = chatml_template;
  const std::string model = models.add(chat);
  const auto tokens = [&](const Words& arguments) { return answer_json(model, arguments)["prompt_tokens"].get<int>(); };
  // <|im_start|> and <|im_end|> are one token each, all else is a token a byte.
  const int empty = 1 + 5 + 1 + 1 + 1 + 10; // <|im_start|> user\n <|im_end|> \n <|im_start|> assistant\n
  CHECK(tokens({"abc"}) == empty + 3);
  CHECK(tokens({"-sys", "Be kind.", "abc"}) == empty + 3 + 1 + 7 + 8 + 1 + 1);
  CHECK(tokens({"--raw", "abc"}) == 3);
  // What a user writes can't end the user's turn; what is completed as it is can.
  CHECK(tokens({"<|im_end|>"}) == empty + 10);
  CHECK(tokens({"--raw", "<|im_end|>"}) == 1);
  CHECK(answer(model, {"abc"}).out == "Hello, world.\n");
}

TEST_CASE("a system text needs a template to go to") {
  const Models models;
  const auto result = answer(models.add(answer_model(hello)), {"-sys", "Be kind.", "abc"});
  CHECK(result.code == 2);
  CHECK(is_one_line(result.err));
  CHECK(contains(result.err, "no chat template"));
}

TEST_CASE("BOS is added exactly once") {
  const Models models;
  ChainModel model = answer_model(hello);
  model.add_bos = true;
  const std::string path = models.add(model);
  CHECK(answer_json(path, {"abc"})["prompt_tokens"] == 4);
  CHECK(answer_json(path, {"<s>abc"})["prompt_tokens"] == 4);
  CHECK(answer(path, {""}).out == "Hello, world.\n"); // BOS alone is a prompt
}

TEST_CASE("a seed reproduces a run over threads, step sizes and instruction sets") {
  const Models models;
  for (const Format format : {Format::f32, Format::q8_0, Format::q4_0}) {
    ChainModel random = answer_model({"a", "b"});
    random.noise = true;
    random.layers = 2;
    random.sharpness = 0.05f;
    random.format = format;
    const std::string model = models.add(random);
    const std::string prompt = "A prompt that is longer than a page of the cache, so that several steps make it: "
                               "0123456789 0123456789";
    const auto tokens = [&](const Words& extra, const ProcessOptions& options = {}) {
      Words arguments{"-n", "40", "--top-k", "0", "--min-p", "0", prompt};
      arguments.insert(arguments.end(), extra.begin(), extra.end());
      return answer_json(model, arguments, options)["tokens"].get<std::vector<int>>();
    };
    const auto expected = tokens({"-s", "1", "-t", "1"});
    CHECK(expected.size() > 3);
    CHECK(expected != tokens({"-s", "2", "-t", "1"}));
    for (const char* threads : {"2", "4"}) CHECK(tokens({"-s", "1", "-t", threads}) == expected);
    for (const char* step : {"1", "7", "512"}) CHECK(tokens({"-s", "1", "-ub", step, "-t", "2"}) == expected);
    for (const char* cpu : {"portable", "neon", "i8mm", "avx2", "avxvnni", "avx512", "amx"}) {
      ProcessOptions options;
      options.environment = {{"KERN_CPU", cpu}};
      const auto probe = answer(model, {"-n", "0", "x"}, options);
      if (probe.code == 2) {
        CHECK(contains(probe.err, "KERN_CPU")); // this machine can't run it, and kern says so
        continue;
      }
      CHECK(tokens({"-s", "1"}, options) == expected);
    }
  }
}

TEST_CASE("a random seed is reported, and gives the same answer again") {
  const Models models;
  ChainModel random = answer_model({"a", "b"});
  random.sharpness = 0.05f;
  const std::string model = models.add(random);
  ProcessOptions options;
  options.environment = {{"KERN_SEED", ""}};
  const auto first = answer_json(model, {"-n", "30", "--top-k", "0", "--min-p", "0", "hi"}, options);
  const std::string seed = std::to_string(first["seed"].get<std::uint64_t>());
  const auto again = answer_json(model, {"-n", "30", "--top-k", "0", "--min-p", "0", "hi", "--seed", seed});
  CHECK(again["tokens"] == first["tokens"]);
  CHECK(answer_json(model, {"-n", "1", "hi"}, options)["seed"] != first["seed"]);
  // By -1, other tools ask for a random one.
  CHECK(answer_json(model, {"-n", "1", "-s", "-1", "hi"})["seed"] !=
        answer_json(model, {"-n", "1", "-s", "-1", "hi"})["seed"]);
}

TEST_CASE("flags of several letters behind one dash") {
  const Models models;
  const std::string model = models.add(answer_model(hello));
  const auto report = answer_json(model, {"-ngl", "0", "-ub", "7", "-ctk", "f32", "-ctv=f16", "-b", "64", "hi"});
  CHECK(report["text"] == "Hello, world.");
  CHECK(report["cache"]["key_type"] == "f32");
  CHECK(report["cache"]["value_type"] == "f16");
  // A model without layers on a GPU still answers, and says where it runs.
  const auto gpu = kern({"run", "-m", model, "-ngl", "99", "hi"});
  CHECK(gpu.code == 0);
  CHECK(gpu.out == "Hello, world.\n");
}

TEST_CASE("--logit-bias forbids a token") {
  const Models models;
  ChainModel model = answer_model({"yes"});
  const std::string path = models.add(model);
  CHECK(answer(path, {"hi"}).out == "yes\n");
  CHECK(answer_json(path, {"-n", "1", "--logit-bias", "0-inf", "hi"})["tokens"] != std::vector<int>{0});
}

TEST_CASE("KERN_MODEL names the model where -m doesn't") {
  const Models models;
  ProcessOptions options;
  options.environment = {{"KERN_MODEL", models.add(answer_model(hello))}};
  const std::string other = models.add(answer_model({"Other"}), "other.gguf");
  CHECK(kern({"run", "-q", "hi"}, options).out == "Hello, world.\n");
  CHECK(kern({"run", "-q", "-m", other, "hi"}, options).out == "Other\n");
}

TEST_CASE("help and version go to standard output") {
  for (const Words& arguments : std::vector<Words>{
           {"--help"}, {"-h"}, {"help"}, {"run", "--help"}, {"info", "--help"}, {"tokenize", "-h"}, {"--version"}}) {
    const auto result = kern(arguments);
    CHECK(result.code == 0);
    CHECK(contains(result.out, "kern"));
    CHECK(result.err.empty());
  }
}

TEST_CASE("--no-repack keeps all weights mapped and changes no byte of the answer") {
  const Words run = {"run", "--temp", "0", "-n", "24", "-q", "Tell me a story about a fox"};
  Words mapped = run;
  mapped.push_back("--no-repack");
  const auto interleaved = kern(run);
  CHECK(interleaved.code == 0);
  CHECK(interleaved.out.size() > 20);
  CHECK(kern(mapped).out == interleaved.out);
  const std::string none = "weights, mapped                    0 B";
  CHECK(contains(kern({"info", "--plan"}).out, none));
  CHECK(!contains(kern({"info", "--plan", "--no-repack"}).out, none));
}

} // namespace
} // namespace kern::test
