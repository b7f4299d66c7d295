// kern perplexity and kern imatrix as a shell sees them.
#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

#include <nlohmann/json.hpp>

#include "model/gguf.h"
#include "model/importance.h"
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
using Json = nlohmann::json;

Json perplexity_json(Words arguments) {
  arguments.insert(arguments.begin(), {"perplexity", "-q", "--json"});
  const auto result = test::kern(arguments);
  REQUIRE(result.code == 0);
  return Json::parse(result.out);
}

/// The demo model quantized to Q4_0 or not at all, decoded to F32.
std::string as_floats(const Models& models, bool quantized) {
  const std::string floats = models.path("floats.gguf");
  REQUIRE(test::kern({"quantize", "-q", "--allow-requantize", demo(), floats, "F32"}).code == 0);
  if (!quantized) return floats;
  REQUIRE(test::kern({"quantize", "-q", floats, models.path("q4.gguf"), "Q4_0"}).code == 0);
  REQUIRE(
      test::kern({"quantize", "-q", "--allow-requantize", models.path("q4.gguf"), models.path("q4-floats.gguf"), "F32"})
          .code == 0);
  return models.path("q4-floats.gguf");
}

std::string add_small(const Models& models, const std::string& name, int context, int vocab = 512) {
  test::RandomModel model;
  model.shape = {"tiny", "llama", 64, 1, 4, 2, 16, 96, vocab, context, 10000.0, false};
  test::write_random_model(model, models.path(name));
  return models.path(name);
}

} // namespace

TEST_CASE("perplexity and divergence are llama.cpp's") {
  const Models models;
  const std::string base = as_floats(models, false);
  const std::string quantized = as_floats(models, true);
  // llama-perplexity -c 128: "Final estimate: PPL = 1.9179 +/- 0.11518"; its last digit is rounded, and float sums in
  // another order move it by less.
  const Json alone = perplexity_json({"-m", base, "-f", stories(), "-c", "128"});
  CHECK(std::abs(alone["perplexity"]["value"].get<double>() - 1.9179) < 1e-4);
  CHECK(std::abs(alone["perplexity"]["error"].get<double>() - 0.11518) < 1e-4);
  CHECK(alone["tokens"] == 27 * 63);
  CHECK(alone["chunks"] == 27);
  CHECK(alone["whole"] == true);
  CHECK_FALSE(alone.contains("divergence"));

  // --kl-divergence: PPL 1.915734, mean KLD 0.003175 +/- 0.000388, median 0.000014, 99% 0.077374, same top 97.825 %,
  // mean change of probability -0.094 +/- 0.036 %, rms 1.490 %.
  const std::string logits = models.path("base.logits");
  REQUIRE(test::kern({"perplexity", "-q", "-m", base, "-f", stories(), "-c", "128", "--save-logits", logits}).code ==
          0);
  for (const Words& way : {Words{"--kl", base, "-f", stories(), "-c", "128"}, Words{"--kl-logits", logits}}) {
    Words arguments{"-m", quantized};
    arguments.insert(arguments.end(), way.begin(), way.end());
    const Json json = perplexity_json(arguments);
    CHECK(std::abs(json["perplexity"]["value"].get<double>() - 1.915734) < 1e-4);
    CHECK(std::abs(json["divergence"]["value"].get<double>() - 0.003175) < 2e-6);
    CHECK(std::abs(json["divergence"]["error"].get<double>() - 0.000388) < 2e-6);
    CHECK(std::abs(json["divergence"]["median"].get<double>() - 0.000014) < 2e-6);
    CHECK(std::abs(json["divergence"]["99%"].get<double>() - 0.077374) < 1e-4);
    CHECK(std::abs(json["same_top"]["value"].get<double>() - 0.97825) < 1e-5);
    CHECK(std::abs(json["probability_change"]["value"].get<double>() + 0.00094) < 1e-5);
    CHECK(std::abs(json["probability_change"]["rms"].get<double>() - 0.0149) < 1e-4);
  }
}

TEST_CASE("a model doesn't diverge from itself, and steps and threads change nothing") {
  const Models models;
  const Json same = perplexity_json({"-m", demo(), "--kl", demo(), "-f", stories(), "-c", "64", "--chunks", "5"});
  CHECK(same["divergence"]["most"].get<double>() < 1e-6);
  CHECK(same["same_top"]["value"] == 1.0);
  CHECK(same["chunks"] == 5);
  const auto table = test::kern({"perplexity", "-q", "-m", demo(), "-f", stories(), "-c", "64", "--chunks", "5"});
  CHECK(table.code == 0);
  CHECK(contains(table.out, "(155 tokens, the second halves of 5 chunks of 64)"));
  for (const Words& other : {Words{"-ub", "3"}, Words{"-t", "1"}, Words{"--no-repack"}}) {
    Words arguments{"perplexity", "-q", "-m", demo(), "-f", stories(), "-c", "64", "--chunks", "5"};
    arguments.insert(arguments.end(), other.begin(), other.end());
    CHECK(test::kern(arguments).out == table.out);
  }
  std::ifstream file(stories());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  CHECK(test::kern({"perplexity", "-q", "-m", demo(), "-f", "-", "-c", "64", "--chunks", "5"}, test::piped(text)).out ==
        table.out);
}

TEST_CASE("kern perplexity refuses in one line") {
  const Models models;
  const std::string logits = models.path("base.logits");
  REQUIRE(test::kern(
              {"perplexity", "-q", "-m", demo(), "-f", stories(), "-c", "64", "--chunks", "1", "--save-logits", logits})
              .code == 0);
  const std::string other = add_small(models, "other.gguf", 64);
  const std::string same_size = add_small(models, "same-size.gguf", 64, 2048);
  const std::string short_text = models.add_bytes("Too short.", "short.txt");
  const struct {
    Words arguments;
    int code;
    const char* says;
  } cases[] = {
      {{"-m", demo()}, 2, "expected -f FILE"},
      {{"-m", demo(), "-f", models.path("none.txt")}, 2, "none.txt: cannot be opened"},
      {{"-m", demo(), "-f", short_text}, 2, "expected at least 512"},
      {{"-m", demo(), "-f", stories(), "--kl", demo(), "--kl-logits", logits}, 2, "both name a base"},
      {{"-m", demo(), "-f", stories(), "--kl-logits", logits}, 2, "leave -f out"},
      {{"-m", demo(), "-f", stories(), "--kl", other}, 3, "found 512 tokens, expected 2048"},
      {{"-m", demo(), "-f", stories(), "--kl", same_size}, 3, "share a vocabulary"},
      {{"-m", other, "--kl-logits", logits}, 3, "found a vocabulary of 2048 tokens, expected 512"},
      {{"-m", demo(), "--kl-logits", stories()}, 3, "stories.txt: offset 0: found no '_logits_'"},
      {{"-m", demo(), "-f", stories(), "--save-logits", "/dev/full"}, 8, "/dev/full"},
      {{"-m", demo(), "-f", stories(), "-c", "3"}, 2, "--ctx-size"},
  };
  for (const auto& one : cases) {
    Words arguments{"perplexity"};
    arguments.insert(arguments.end(), one.arguments.begin(), one.arguments.end());
    CAPTURE(one.says);
    const auto result = test::kern(arguments);
    CHECK(result.code == one.code);
    CHECK(result.out.empty());
    CHECK(contains(result.err, one.says));
  }
}

TEST_CASE("kern perplexity that is ended says what came so far") {
  const Models models;
  std::string text;
  for (int i = 0; i < 40000; ++i) text += "Once there was a fox. ";
  const std::string file = models.add_bytes(text, "long.txt");
  const std::string logits = models.path("base.logits");
  test::Process process(KERN_EXECUTABLE, {"perplexity", "-m", demo(), "-f", file, "-t", "1", "--save-logits", logits},
                        {});
  CHECK(process.still_runs_after(std::chrono::milliseconds(1500)));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  CHECK(contains(result.err, "interrupted after"));
  CHECK_FALSE(std::filesystem::exists(logits));
}

TEST_CASE("kern imatrix writes what kern quantize reads, and goes on where it was ended") {
  const Models models;
  const std::string whole = models.path("whole.gguf"), part = models.path("part.gguf");
  const auto imatrix = [&](const Words& more, const std::string& length = "128") {
    Words arguments{"imatrix", "-m", demo(), "-f", stories(), "-c", length};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return test::kern(arguments);
  };
  const auto made = imatrix({"-o", whole});
  CHECK(made.code == 0);
  CHECK(made.out.empty());
  CHECK(contains(made.err, "27 chunks of 128 tokens"));
  REQUIRE(imatrix({"-o", part, "--chunks", "9", "--save-every", "2"}).code == 0);
  CHECK(Importance::read(part).chunks() == 9);
  REQUIRE(imatrix({"-o", part, "--resume", "-ub", "17", "-t", "1"}).code == 0);
  CHECK(test::read_file(part) == test::read_file(whole));
  CHECK(imatrix({"-o", part, "--resume"}).code == 0); // nothing is left to do
  CHECK(test::read_file(part) == test::read_file(whole));
  const auto fewer = imatrix({"-o", part, "--resume", "--chunks", "3"});
  CHECK(fewer.code == 2);
  CHECK(contains(fewer.err, "holds 27 chunks, expected at most the 3 asked for"));
  const auto other = imatrix({"-o", part, "--resume"}, "64");
  CHECK(other.code == 3);
  CHECK(contains(other.err, "imatrix.chunk_size"));
  CHECK(imatrix({"-o", models.path("no/such.gguf"), "--chunks", "1"}).code == 8);

  const std::string floats = as_floats(models, false);
  const std::string plain = models.path("plain.gguf"), weighted = models.path("weighted.gguf");
  REQUIRE(test::kern({"quantize", "-q", floats, plain, "Q3_K_S"}).code == 0);
  const auto quantized = test::kern({"quantize", floats, weighted, "Q3_K_S", "--imatrix", whole});
  CHECK(quantized.code == 0);
  CHECK_FALSE(contains(quantized.err, "warning"));
  CHECK(Gguf::open(weighted).metadata().get_string("quantize.imatrix.dataset") == "stories.txt");
  CHECK(test::read_file(weighted) != test::read_file(plain));
}

} // namespace kern
