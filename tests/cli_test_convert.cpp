// kern convert and kern quantize on Hugging Face folders, as a shell sees them.
#include <doctest/doctest.h>

#include <csignal>

#include "model/gguf.h"
#include "quant/mix.h"
#include "tests/cli_fixture.h"
#include "tests/convert_fixture.h"
#include "tests/fixtures.h"

namespace kern {

namespace {

using test::FolderCopy;

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

} // namespace

TEST_CASE("kern convert names the file as the folder is called, and it runs") {
  for (const std::string& name : test::convert_fixtures) {
    CAPTURE(name);
    const FolderCopy copy(name);
    const nlohmann::json reference = test::convert_reference(name);
    const auto result = test::kern({"convert", copy.path().string(), "--outtype", reference.at("options").at(1)});
    CAPTURE(result.err);
    REQUIRE(result.code == 0);
    CHECK(result.out.empty());
    const auto file = copy / reference.at("file").get<std::string>();
    REQUIRE(std::filesystem::exists(file));
    const Gguf gguf = Gguf::open(file);
    const auto& keys = reference.at("keys");
    CHECK(gguf.metadata().get_uint("general.file_type") == keys.at("general.file_type").at(1));
    CHECK(gguf.metadata().get_uint("general.quantization_version") == 2);
    CHECK(test::answer(file.string(), {"--raw", "-n", "4", "--temp", "0", "once"}).code == 0);
  }
}

TEST_CASE("kern convert takes an output, a type, and writes nothing on a dry run") {
  const FolderCopy copy("tiny-qwen2");
  const std::size_t before = files_in(copy.path());
  const auto dry = test::kern({"convert", "--dry-run", copy.path().string()});
  CHECK(dry.code == 0);
  CHECK(dry.out.find("Tiny-Qwen2-38K-BF16.gguf\n") != std::string::npos);
  CHECK(dry.out.find("| blk.0.attn_q.weight | 32 x 32 | BF16 | BF16 |") != std::string::npos);
  CHECK(files_in(copy.path()) == before);
  const std::string out = (copy / "o.gguf").string();
  CHECK(test::kern({"convert", "-q", copy.path().string(), out, "--outtype", "q8_0"}).err.empty());
  CHECK(find_format(Gguf::open(out).find("blk.0.attn_q.weight")->format)->name == "Q8_0");
  CHECK(test::kern({"convert", "-q", copy.path().string() + "/", "--outfile", out, "--outtype", "f32"}).code == 0);
  CHECK(find_format(Gguf::open(out).find("blk.0.attn_q.weight")->format)->name == "F32");
}

TEST_CASE("kern convert --vocab-only writes a tokenizer") {
  const FolderCopy copy("Tiny-Llama-0.1M-Chat");
  copy.remove("model.safetensors");
  REQUIRE(test::kern({"convert", "--vocab-only", copy.path().string()}).code == 0);
  const auto file = copy / "Tiny-Llama-Chat-vocab.gguf";
  REQUIRE(std::filesystem::exists(file));
  CHECK(Gguf::open(file).tensors().empty());
  const auto tokens = test::kern({"tokenize", "-m", file.string(), "the fox"});
  CHECK(tokens.code == 0);
  CHECK_FALSE(tokens.out.empty());
}

TEST_CASE("kern quantize takes a folder, with no file between") {
  const FolderCopy copy("tiny-llama3");
  const std::size_t before = files_in(copy.path());
  const auto result = test::kern({"quantize", copy.path().string(), "Q4_0"});
  CAPTURE(result.err);
  REQUIRE(result.code == 0);
  CHECK(files_in(copy.path()) == before + 1);
  const auto file = copy / "Tiny-Llama3-34K-Q4_0.gguf";
  const Gguf direct = Gguf::open(file);
  CHECK(direct.metadata().get_uint("general.file_type") == 2);
  CHECK(test::answer(file.string(), {"--raw", "-n", "4", "--temp", "0", "once"}).code == 0);
  // The same as by way of the 16-bit file.
  const std::string half = (copy / "half.gguf").string();
  const std::string twice = (copy / "twice.gguf").string();
  REQUIRE(test::kern({"convert", "-q", copy.path().string(), half}).code == 0);
  REQUIRE(test::kern({"quantize", "-q", half, twice, "Q4_0"}).code == 0);
  CHECK(test::read_file(file) == test::read_file(twice));
}

TEST_CASE("kern quantize wants to be asked before it quantizes 4-bit matrices again") {
  const FolderCopy copy("tiny-llama-gptq");
  const std::string out = (copy / "o.gguf").string();
  const auto refused = test::kern({"quantize", copy.path().string(), out, "Q8_0"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("--allow-requantize") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(out));
  CHECK(test::kern({"quantize", "-q", "--allow-requantize", copy.path().string(), out, "Q8_0"}).code == 0);
  const auto converted = test::kern({"convert", "-q", copy.path().string(), out});
  CHECK(converted.code == 0);
  CHECK(find_format(Gguf::open(out).find("blk.0.attn_q.weight")->format)->name == "Q4_0");
  CHECK(find_format(Gguf::open(out).find("blk.0.attn_v.weight")->format)->name == "F16");
}

TEST_CASE("kern convert refuses in one line") {
  const test::Models models;
  const FolderCopy copy("tiny-qwen3");
  const std::string folder = copy.path().string();
  const auto refused = [](test::Words words, int code, const std::string& part) {
    words.insert(words.begin(), "convert");
    const auto result = test::kern(words);
    CAPTURE(result.err);
    CHECK(result.code == code);
    CHECK(result.out.empty());
    CHECK(result.err.find(part) != std::string::npos);
    CHECK(std::ranges::count(result.err, '\n') == 1);
  };
  refused({}, 2, "expected FOLDER [OUT]");
  refused({folder, "a", "--outfile", "b"}, 2, "expected FOLDER [OUT]");
  refused({folder, "--outtype", "q4_0"}, 2, "q4_0");
  refused({folder + "/nothing"}, 3, "no such folder");
  refused({folder + "/config.json"}, 2, "found a file");
  refused({folder, "/dev/null"}, 8, "found a device or pipe");
  refused({folder, folder}, 8, "found a folder");
  refused({folder, folder + "/model.safetensors"}, 8, "is a file that is read");
  refused({folder, models.path("no/folder/o.gguf")}, 8, "no/folder");
  copy.edit("config.json", [](nlohmann::json& config) { config["architectures"] = {"Evil\n\x1b[31mForCausalLM"}; });
  refused({folder}, 3, "Evil\\n\\x1b[31mForCausalLM");
  copy.write("config.json", std::string("{\"architectures\": [\"\xff\"]}"));
  refused({folder}, 3, "no JSON");
}

TEST_CASE("kern convert warns of what the file can't say") {
  const FolderCopy copy("tiny-mistral");
  copy.edit("config.json", [](nlohmann::json& config) { config["sliding_window"] = 64; });
  const auto result = test::kern({"convert", copy.path().string()});
  CHECK(result.code == 0);
  CHECK(result.err.find("kern: warning: ") == 0);
  CHECK(result.err.find("'sliding_window' is 64") != std::string::npos);
  CHECK(test::kern({"convert", "-q", copy.path().string()}).err.empty());
}

} // namespace kern
