// The flags of sampling.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <set>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

/// All tokens are about as likely as any other.
ChainModel flat(const Words& pieces = {"a", "b"}) {
  ChainModel model = answer_model(pieces, Spelling::byte_level, AnswerEnd::again);
  model.sharpness = 0.02f;
  return model;
}

TEST_CASE("every sampler's flag reaches the sampler, and the report") {
  const Models models;
  const std::string model = models.add(flat());
  const Words base = {"-n", "40", "-s", "3", "--top-k", "0", "--min-p", "0", "--top-p", "1", "hi"};
  const auto tokens = [&](const Words& extra) {
    Words arguments = base;
    arguments.insert(arguments.begin(), extra.begin(), extra.end());
    return answer_json(model, arguments)["tokens"].get<std::vector<int>>();
  };
  const auto plain = tokens({});
  CHECK(tokens({}) == plain);
  for (const Words& extra :
       std::vector<Words>{{"--typical", "0.3"},
                          {"--top-nsigma", "0.5"},
                          {"--top-n-sigma", "0.5"},
                          {"--xtc-probability", "1", "--xtc-threshold", "0.003"},
                          {"--dynatemp-range", "0.79"},
                          {"--dry-multiplier", "9", "--dry-allowed-length", "0"},
                          {"--repeat-penalty", "9"},
                          {"--mirostat", "1", "--mirostat-ent", "3"},
                          {"--mirostat", "2", "--mirostat-ent", "3", "--mirostat-lr", "0.5"},
                          {"--adaptive-target", "0.9", "--adaptive-decay", "0.5", "--temp", "0.05"},
                          {"--ignore-eos", "--logit-bias", "0-inf"}}) {
    CAPTURE(extra[0]);
    CHECK(tokens(extra) != plain);
  }
  const auto report = answer_json(
      model, {"--samplers", "top_k;temperature", "--top-k", "5", "--xtc-threshold", "0.25", "-n", "1", "hi"});
  CHECK(report["sampling"]["samplers"] == "top_k;temperature");
  CHECK(report["sampling"]["xtc_threshold"] == 0.25);
  CHECK_FALSE(report["sampling"].contains("from_model"));
}

TEST_CASE("the order of the steps is the user's, by names or letters") {
  const Models models;
  const std::string model = models.add(flat());
  const auto names = answer_json(model, {"--samplers", "min-p;temperature;top_k", "-s", "1", "-n", "9", "hi"});
  CHECK(names["sampling"]["samplers"] == "min_p;temperature;top_k");
  CHECK(answer_json(model, {"--sampling-seq", "mtk", "-s", "1", "-n", "9", "hi"})["tokens"] == names["tokens"]);
  for (const Words& wrong : std::vector<Words>{
           {"--samplers", "top_k;infill"}, {"--sampling-seq", "kz"}, {"--samplers", "xtc", "--sampling-seq", "x"}}) {
    Words arguments = wrong;
    arguments.push_back("hi");
    const auto result = answer(model, arguments);
    CHECK(result.code == 2);
    CHECK(is_one_line(result.err));
  }
  const auto idle = kern({"run", "-m", model, "-n", "1", "--samplers", "top_k", "--temp", "0.5", "--top-k", "3", "hi"});
  CHECK(contains(idle.err, "--temp changes nothing"));
  CHECK_FALSE(contains(idle.err, "--top-k changes"));
  const auto replaced = kern({"run", "-m", model, "-n", "1", "--mirostat", "2", "--temp", "1", "--top-k", "3", "hi"});
  CHECK(contains(replaced.err, "--top-k changes nothing: mirostat"));
  CHECK_FALSE(contains(replaced.err, "--temp changes"));
}

TEST_CASE("a model's own settings apply where the user gave none, and are said") {
  const Models models;
  ChainModel model = flat();
  model.sampling = {{"general.sampling.temp", 0.0f}, {"general.sampling.top_k", 7.0f}};
  model.sampling_sequence = "top_k;temperature";
  const std::string path = models.add(model);
  const auto report = answer_json(path, {"-n", "3", "hi"});
  CHECK(report["sampling"]["temperature"] == 0.0);
  CHECK(report["sampling"]["top_k"] == 7);
  CHECK(report["sampling"]["samplers"] == "top_k;temperature");
  CHECK(report["sampling"]["from_model"] == Words{"samplers", "temp", "top-k"});
  const auto user = answer_json(path, {"-n", "3", "--temp", "0.8", "--sampling-seq", "t", "hi"});
  CHECK(user["sampling"]["from_model"] == Words{"top-k"});
  CHECK(user["sampling"]["temperature"].get<double>() == doctest::Approx(0.8));
  CHECK(contains(kern({"run", "-m", path, "-n", "1", "hi"}).err, "samplers, temp, top-k as the model file says"));

  for (const auto& [key, value] : std::vector<std::pair<std::string, float>>{
           {"general.sampling.temp", -1.0f}, {"general.sampling.top_k", 1.5f}, {"general.sampling.top_p", NAN}}) {
    model.sampling = {{key, value}};
    const auto result = answer(models.add(model, "wrong.gguf"), {"hi"});
    CHECK(result.code == 3);
    CHECK(is_one_line(result.err));
    CHECK(contains(result.err, key));
  }
  model.sampling = {};
  model.sampling_sequence = "top_k;nonsense\x1b[2J";
  const auto result = answer(models.add(model, "wrong.gguf"), {"hi"});
  CHECK(result.code == 3);
  CHECK(is_one_line(result.err));
  CHECK_FALSE(contains(result.err, "\x1b"));
}

TEST_CASE("--dry-sequence-breaker ends what counts as a repetition") {
  const Models models;
  ChainModel chain = answer_model({"ab", "c:", "d"}, Spelling::byte_level, AnswerEnd::again);
  chain.sharpness = 0.2f; // the next token is ahead by about 12
  const std::string model = models.add(chain);
  const auto text = [&](const Words& extra) {
    Words arguments{"--temp", "0", "-n", "9", "--dry-multiplier", "1000", "hi"};
    arguments.insert(arguments.begin(), extra.begin(), extra.end());
    return answer_json(model, arguments)["text"].get<std::string>();
  };
  CHECK(text({"--dry-sequence-breaker", "none"}) != "abc:dabc:dabc:d"); // it may not say all three again
  CHECK(text({}) == "abc:dabc:dabc:d");                                 // ":" divides it
  CHECK(text({"--dry-sequence-breaker", "b"}) == "abc:dabc:dabc:d");    // so does a part of a token
  CHECK(text({"--dry-sequence-breaker", "x"}) == text({"--dry-sequence-breaker", "none"}));
  const auto wrong = answer(model, {"--dry-multiplier", "1", "--dry-sequence-breaker", "", "hi"});
  CHECK(wrong.code == 2);
  CHECK(is_one_line(wrong.err));
}

TEST_CASE("--ignore-eos goes on where the model would end") {
  const Models models;
  const std::string model = models.add(answer_model({"a", "b"}));
  CHECK(answer_json(model, {"--temp", "0", "-n", "7", "hi"})["generated_tokens"] == 2);
  const auto report = answer_json(model, {"--temp", "0", "-n", "7", "--ignore-eos", "hi"});
  CHECK(report["generated_tokens"] == 7);
  CHECK(report["reason"] == "length");
}

TEST_CASE("--top-logprobs says what the model itself thought of each token") {
  const Models models;
  const std::string model = models.add(flat({"x", "y"}));
  const auto report = answer_json(
      model, {"-n", "4", "--top-logprobs", "3", "--temp", "5", "--logit-bias", "0-9", "--ignore-eos", "hi"});
  REQUIRE(report["logprobs"].size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& entry = report["logprobs"][i];
    CHECK(entry["id"] == report["tokens"][i]);
    REQUIRE(entry["top"].size() == 3);
    CHECK(entry["logprob"].get<double>() <= entry["top"][0]["logprob"].get<double>());
    CHECK(entry["top"][0]["logprob"].get<double>() >= entry["top"][1]["logprob"].get<double>());
    CHECK(entry["top"][0]["logprob"].get<double>() < 0.0);
  }
  // The chain's next token is the model's first choice, whatever the bias and the temperature say.
  CHECK(report["logprobs"][0]["top"][0]["text"] == "x");
  CHECK(answer_json(model, {"-n", "2", "--top-logprobs", "0", "--ignore-eos", "hi"})["logprobs"][1]["top"].empty());
  CHECK_FALSE(answer_json(model, {"-n", "2", "hi"}).contains("logprobs"));
  const auto without = answer(model, {"--top-logprobs", "3", "hi"});
  CHECK(without.code == 2);
  CHECK(is_one_line(without.err));
}

} // namespace
} // namespace kern::test
