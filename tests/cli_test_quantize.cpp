// kern quantize as a shell sees it.
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include "model/gguf.h"
#include "quant/mix.h"
#include "tests/cli_fixture.h"
#include "tests/fixtures.h"
#include "tests/random_model.h"

namespace kern {

namespace {

using test::contains;
using test::demo;
using test::Models;
using test::stories;
using test::Words;

/// A model of random weights in F32, large enough for every block.
std::string add_random(const Models& models, const std::string& name, int layers = 2, Format format = Format::f32) {
  test::RandomModel model;
  model.shape = {"tiny", "llama", 256, layers, 4, 2, 64, 512, 512, 256, 10000.0, false};
  model.format = format;
  model.output_format = format;
  test::write_random_model(model, models.path(name));
  return models.path(name);
}

std::string file_text(const std::string& path) {
  const std::vector<char> bytes = test::read_file(path);
  return {bytes.begin(), bytes.end()};
}

} // namespace

TEST_CASE("kern quantize writes every type, and what it writes runs") {
  const Models models;
  const std::string source = add_random(models, "model-F32.gguf");
  for (const Mix& mix : mixes()) {
    CAPTURE(mix.name);
    const std::string out = models.path("out-" + std::string(mix.name) + ".gguf");
    const auto result = test::kern({"quantize", source, out, std::string(mix.name)});
    REQUIRE(result.code == 0);
    CHECK(result.out.empty());
    CHECK(result.err.find("bits a weight") != std::string::npos);
    const Gguf gguf = Gguf::open(out);
    CHECK(gguf.metadata().get_uint("general.file_type") == mix.file_type);
    CHECK(test::answer(out, {"--raw", "-n", "4", "--temp", "0", "hello"}).code == 0);
  }
}

TEST_CASE("kern quantize gives the same bytes whatever the threads") {
  const Models models;
  const std::string source = add_random(models, "model-F32.gguf");
  REQUIRE(test::kern({"quantize", "-q", "-t", "1", source, models.path("one.gguf"), "Q4_K_M"}).code == 0);
  REQUIRE(test::kern({"quantize", "-q", source, models.path("four.gguf"), "Q4_K_M", "4"}).code == 0);
  CHECK(test::read_file(models.path("one.gguf")) == test::read_file(models.path("four.gguf")));
}

TEST_CASE("kern quantize names the result itself, and --dry-run writes none") {
  const Models models;
  const std::string source = add_random(models, "model-F32.gguf");
  const auto dry = test::kern({"quantize", "--dry-run", source, "Q4_K_M"});
  CHECK(dry.code == 0);
  CHECK(dry.out.find("| output.weight | 256 x 512 | F32 | Q6_K |") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(models.path("model-Q4_K_M.gguf")));
  CHECK(test::kern({"quantize", "-q", source, "Q4_K_M"}).code == 0);
  CHECK(std::filesystem::exists(models.path("model-Q4_K_M.gguf")));
}

TEST_CASE("kern quantize follows what is said of single tensors") {
  const Models models;
  const std::string source = add_random(models, "model-F32.gguf");
  const auto formats = [&](Words more) {
    Words words{"quantize", "-q", source, models.path("o.gguf"), "Q4_K_M"};
    words.insert(words.end(), more.begin(), more.end());
    REQUIRE(test::kern(words).code == 0);
    std::map<std::string, std::string> found;
    const Gguf gguf = Gguf::open(models.path("o.gguf"));
    for (const TensorInfo& tensor : gguf.tensors()) found[tensor.name] = find_format(tensor.format)->name;
    return found;
  };
  auto found = formats({"--tensor-type", "ffn_(up|gate)=Q3_K", "--tensor-type", "blk\\.1\\.=Q8_0"});
  CHECK(found["blk.1.ffn_up.weight"] == "Q3_K");
  CHECK(found["blk.1.ffn_down.weight"] == "Q8_0");
  CHECK(found["blk.1.attn_norm.weight"] == "F32");
  found = formats({"--output-tensor-type", "bf16", "--token-embedding-type", "q8_0"});
  CHECK(found["output.weight"] == "BF16");
  CHECK(found["token_embd.weight"] == "Q8_0");
  CHECK(formats({"--leave-output-tensor"})["output.weight"] == "F32");
  CHECK(formats({"--pure"})["output.weight"] == "Q4_K");
}

TEST_CASE("kern quantize says which matrices an importance matrix leaves out") {
  const Models models;
  const std::string source = add_random(models, "model-F32.gguf");
  // One entry, of a matrix that this model doesn't have: i32 entries, name, chunks, values.
  std::string dat;
  const auto put = [&](const auto& value) { dat.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(std::int32_t{1});
  put(std::int32_t{5});
  dat += "other";
  put(std::int32_t{1});
  put(std::int32_t{1});
  put(1.0f);
  const std::string importance = models.add_bytes(dat, "i.dat");
  const auto result = test::kern({"quantize", "--imatrix", importance, source, models.path("o.gguf"), "Q4_K_M"});
  CHECK(result.code == 0);
  CHECK(result.err.find("i.dat: found no entry for 14 of 16 matrices") != std::string::npos);
}

TEST_CASE("kern quantize warns of formats that need an importance matrix") {
  const Models models;
  const std::string source = add_random(models, "model-F32.gguf");
  const auto warning = [&](const Words& more) {
    Words words{"quantize", source, models.path("o.gguf")};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = test::kern(words);
    REQUIRE(result.code == 0);
    return result.err;
  };
  // q, k, the attention's output, and three of the feed-forward in two layers; v and the rest are larger.
  CHECK(contains(warning({"IQ2_XXS"}), "warning: 12 matrices in formats of about three bits"));
  CHECK_FALSE(contains(warning({"IQ3_S"}), "warning"));
  CHECK_FALSE(contains(warning({"Q2_K"}), "warning"));
  CHECK_FALSE(contains(warning({"Q4_0", "--token-embedding-type", "IQ2_S"}), "warning"));
  CHECK(warning({"IQ2_XXS", "-q"}).empty());
}

TEST_CASE("kern quantize --measure says what kern perplexity --kl says") {
  const Models models;
  const std::string out = models.path("demo-Q4_0.gguf");
  const auto measured = test::kern(
      {"quantize", "--allow-requantize", demo(), out, "Q4_0", "--measure", stories(), "--measure-chunks", "2"});
  REQUIRE(measured.code == 0);
  const auto compared = test::kern({"perplexity", "-q", "-m", out, "--kl", demo(), "-f", stories(), "--chunks", "2"});
  REQUIRE(compared.code == 0);
  const auto line = [](const std::string& text, const std::string& name) {
    const std::size_t at = text.find("\n" + name);
    REQUIRE(at != std::string::npos);
    return text.substr(at + 1, text.find('\n', at + 1) - at);
  };
  for (const char* name : {"ln(ratio)", "divergence", "same top", "probability"})
    CHECK(line(measured.out, name) == line(compared.out, name));
  const std::string perplexity = compared.out.substr(14, compared.out.find("  (") - 14);
  const std::string base = line(compared.out, "base").substr(14);
  CHECK(contains(measured.out, "| perplexity | " + base.substr(0, base.size() - 1) + " | " + perplexity + " |"));
  CHECK(contains(measured.out, "| bits a weight | 8.51 | 4.7"));
  CHECK(contains(measured.out, "second halves of 2 chunks of 512"));
  CHECK(contains(measured.err, "bits a weight (from"));
  const auto quiet = test::kern(
      {"quantize", "-q", "--allow-requantize", demo(), out, "Q4_0", "--measure", "-", "--measure-chunks", "2"},
      test::piped(file_text(stories())));
  CHECK(quiet.out == measured.out);
  CHECK(quiet.err.empty());
}

TEST_CASE("kern quantize --target-size lands just under it, closer to the source than the mix of that size") {
  const Models models;
  const std::string mix = models.path("mix.gguf");
  REQUIRE(test::kern({"quantize", "-q", "--allow-requantize", demo(), mix, "Q3_K_S"}).code == 0);
  const auto size = std::filesystem::file_size(mix);
  const auto search = [&](const std::string& out, const std::string& threads) {
    const auto result = test::kern({"quantize", "-q", "--allow-requantize", "--target-size", std::to_string(size),
                                    "--measure", stories(), "--measure-chunks", "1", "-t", threads, demo(), out});
    REQUIRE(result.code == 0);
    CHECK(contains(result.out, "bits a weight"));
  };
  const std::string found = models.path("found.gguf");
  search(found, "2");
  CHECK(std::filesystem::file_size(found) <= size);
  CHECK(static_cast<double>(std::filesystem::file_size(found)) >= 0.99 * static_cast<double>(size));
  search(models.path("again.gguf"), "3");
  CHECK(file_text(found) == file_text(models.path("again.gguf")));
  const auto divergence = [&](const std::string& model) {
    const auto result = test::kern({"perplexity", "-q", "--json", "-m", model, "--kl", demo(), "-f", stories()});
    REQUIRE(result.code == 0);
    return nlohmann::json::parse(result.out).at("divergence").at("value").get<double>();
  };
  CHECK(divergence(found) < divergence(mix));
}

TEST_CASE("kern quantize --target-bpw leaves tensors that are named as they were asked for") {
  const Models models;
  const std::string out = models.path("out.gguf");
  REQUIRE(test::kern({"quantize", "-q", "--allow-requantize", "--target-bpw", "4.5", "--measure", stories(),
                      "--measure-chunks", "1", "--tensor-type", "ffn_down=Q5_K", demo(), out})
              .code == 0);
  const Gguf gguf = Gguf::open(out);
  std::uint64_t bytes = 0;
  std::uint64_t weights = 0;
  for (const TensorInfo& tensor : gguf.tensors()) {
    if (contains(tensor.name, "ffn_down")) CHECK(tensor.format == Format::q5_k);
    bytes += tensor.bytes.size();
    weights += tensor.elements();
  }
  const double bits = 8.0 * static_cast<double>(bytes) / static_cast<double>(weights);
  CHECK(bits <= 4.5);
  CHECK(bits >= 4.455);
}

TEST_CASE("kern quantize --measure that is ended says what came, and its file stays") {
  const Models models;
  std::string text;
  for (int i = 0; i < 40000; ++i) text += "Once there was a fox. ";
  const std::string out = models.path("out.gguf");
  test::Process process(KERN_EXECUTABLE, {"quantize", "--allow-requantize", demo(), out, "Q8_0", "-t", "1", "--measure",
                                          models.add_bytes(text, "long.txt"), "--measure-chunks", "400"});
  while (!std::filesystem::exists(out) && process.still_runs_after(std::chrono::milliseconds(20))) {
  }
  CHECK(process.still_runs_after(std::chrono::milliseconds(1000)));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  CHECK(contains(result.out, "| perplexity |"));
  CHECK(contains(result.err, "of 400 chunks; " + out + " is written"));
  CHECK(Gguf::open(out).metadata().get_uint("general.file_type") == 7);
}

TEST_CASE("kern quantize refuses in one line") {
  const Models models;
  const std::string source = add_random(models, "model-F32.gguf");
  const auto refused = [&](Words words, int code, const std::string& part) {
    words.insert(words.begin(), "quantize");
    const auto result = test::kern(words);
    CAPTURE(result.err);
    CHECK(result.code == code);
    CHECK(result.out.empty());
    CHECK(result.err.find(part) != std::string::npos);
    CHECK(std::ranges::count(result.err, '\n') == 1);
  };
  refused({source}, 2, "expected IN [OUT] TYPE");
  refused({source, "Q4_X"}, 2, "expected one of F32, F16");
  refused({source, models.path("o.gguf"), "Q4_0", "0"}, 2, "found 0 threads");
  refused({models.path("nothing.gguf"), "Q4_0"}, 3, "nothing.gguf");
  refused({source, source, "Q4_0"}, 8, "is the file that is read");
  refused({source, models.path("no/folder/o.gguf"), "Q4_0"}, 8, "no/folder");
  refused({source, "/dev/null", "Q4_0"}, 8, "found a device or pipe");
  refused({source, models.path("."), "Q4_0"}, 8, "found a folder");
  refused({source, "Q4_0", "--tensor-type", "ffn(=Q4_0"}, 2, "is not a regular expression");
  refused({source, "Q4_0", "--tensor-type", "ffn"}, 2, "expected REGEX=TYPE");
  refused({source, "Q4_0", "--output-tensor-type", "Q1_5"}, 2, "not a format kern can write");
  refused({source, "Q4_0", "--imatrix", source}, 3, "found no entries");
  refused({source, "Q4_0", "--dry-run", "--measure", stories()}, 2, "--dry-run writes nothing");
  refused({source, "--target-size", "1M"}, 2, "found no --measure");
  refused({source, "Q4_0", "--target-size", "1M", "--measure", stories()}, 2, "found the type Q4_0 beside a target");
  refused({source, "--target-size", "1X", "--measure", stories()}, 2, "found '1X', expected a size of the file");
  refused({source, "--target-size", "1", "--measure", stories()}, 2, "the metadata alone takes");
  refused({source, "--target-bpw", "1.5", "--measure", stories(), "--measure-chunks", "1"}, 2, "expected at least");
  refused({source, "--target-bpw", "4", "--pure", "--measure", stories()}, 2, "found --pure");
  refused({source, models.path("o.gguf"), "Q4_0", "--measure", models.path("none.txt")}, 2, "none.txt: cannot be");
  refused({source, models.path("o.gguf"), "Q4_0", "--measure", models.add_bytes("Short.", "short.txt")}, 2,
          "expected at least 256, one chunk");
  const std::string quantized = add_random(models, "model-Q8_0.gguf", 2, Format::q8_0);
  refused({quantized, models.path("o.gguf"), "Q4_0"}, 2, "--allow-requantize");
  CHECK_FALSE(std::filesystem::exists(models.path("o.gguf")));
  CHECK(test::kern({"quantize", "-q", "--allow-requantize", quantized, models.path("o.gguf"), "Q4_0"}).code == 0);
}

TEST_CASE("kern quantize that is ended leaves no file") {
  const Models models;
  const std::string source = add_random(models, "model-F32.gguf", 24);
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    test::Process process(KERN_EXECUTABLE, {"quantize", "-q", source, models.path("out.gguf"), "IQ4_XS"});
    process.still_runs_after(std::chrono::milliseconds(100));
    process.send(signal);
    const auto result = process.finish();
    if (result.code == 0) continue; // it was quicker
    CHECK_FALSE(std::filesystem::exists(models.path("out.gguf")));
    if (signal == SIGINT) CHECK(result.code == 130);
    if (signal == SIGTERM) CHECK(result.code == 143);
    if (signal == SIGKILL) CHECK(result.signal == SIGKILL);
  }
  CHECK(test::kern({"quantize", "-q", source, models.path("out.gguf"), "Q8_0"}).code == 0);
  CHECK(std::filesystem::exists(models.path("out.gguf")));
}

} // namespace kern
