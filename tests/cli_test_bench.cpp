// kern bench, on the demo model. Nothing here depends on how fast anything is.
#include <csignal>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/cli_fixture.h"

namespace kern::test {
namespace {

using Json = nlohmann::json;

Words bench(Words arguments) {
  Words all{"bench", "-q", "--no-limits"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

Json bench_json(Words arguments) {
  arguments.push_back("--json");
  const auto result = kern(bench(std::move(arguments)));
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  return Json::parse(result.out);
}

/// Bytes of all matrices a token is multiplied with, and how many layers there are, from what the file says.
struct FileFigures {
  std::uint64_t matrix_bytes = 0;
  std::uint64_t table_bytes = 0; // of the token table
  std::size_t layers = 0;
};

FileFigures file_figures() {
  const Json info = Json::parse(kern({"info", "-q", "--json", "--tensors"}).out);
  FileFigures figures;
  figures.layers = info["spec"]["layers"].size();
  for (const Json& tensor : info["tensors"]) {
    if (tensor["shape"].size() < 2) continue;
    const bool table = tensor["name"] == "token_embd.weight";
    if (table) figures.table_bytes = tensor["bytes"];
    if (!table || info["spec"]["tied_output"]) figures.matrix_bytes += tensor["bytes"].get<std::uint64_t>();
  }
  return figures;
}

std::uint64_t sum(const Json& operations, const char* figure) {
  std::uint64_t total = 0;
  for (const Json& operation : operations) total += operation[figure].get<std::uint64_t>();
  return total;
}

TEST_CASE("bench prints a row for every prompt, length and depth") {
  const auto result = kern(bench({"-p", "8,16", "-n", "3", "-d", "0,70", "-r", "2"}));
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  std::size_t last = result.out.find("| test ");
  REQUIRE(last != std::string::npos);
  for (const char* test : {"pp8", "pp16", "tg3", "pp8 @ d70", "pp16 @ d70", "tg3 @ d70"}) {
    CAPTURE(test);
    const std::size_t row = result.out.find("| " + std::string(test) + " ", last);
    REQUIRE(row != std::string::npos);
    last = row;
  }
  CHECK(std::ranges::count(result.out, '\n') == 2 + 2 + 6); // model, blank line, the table's head, rows
  CHECK_FALSE(contains(result.out, "limits"));
}

TEST_CASE("bench says what model it measures where none is given") {
  const auto result = kern({"bench", "--no-limits", "-p", "4", "-n", "0", "-r", "1"});
  CHECK(result.code == 0);
  CHECK(contains(result.err, "demo model"));
  CHECK(contains(result.out, "| pp4 "));
  CHECK_FALSE(contains(result.out, "| tg"));
}

TEST_CASE("bench --json has every sample") {
  const Json json = bench_json({"-p", "8", "-n", "4", "-d", "3", "-r", "3", "-t", "1", "-ub", "5", "-ctk", "f32"});
  CHECK(json["threads"] == 1);
  CHECK(json["step_tokens"] == 5);
  CHECK(json["context"] == 11);
  CHECK(json["cache"]["key_type"] == "f32");
  CHECK(json["cache"]["value_type"] == "f16");
  CHECK(json["limits"].is_null());
  CHECK(json["interrupted"] == false);
  REQUIRE(json["tests"].size() == 2);
  CHECK_FALSE(json.contains("profiles"));
  const FileFigures file = file_figures();
  for (const Json& test : json["tests"]) {
    CHECK(test["depth"] == 3);
    CHECK(test["samples_seconds"].size() == 3);
    CHECK(test["samples_tokens_per_second"].size() == 3);
    for (const Json& sample : test["samples_seconds"]) CHECK(sample.get<double>() > 0.0);
    CHECK(test["mean_tokens_per_second"].get<double>() > 0.0);
    CHECK(test["median_tokens_per_second"].get<double>() > 0.0);
    CHECK(test["limit"].is_null());
  }
  CHECK(json["tests"][0]["kind"] == "prefill");
  CHECK(json["tests"][1]["kind"] == "decode");
  CHECK(json["tests"][1]["bytes_per_token"].get<double>() > static_cast<double>(file.matrix_bytes));
  // A prompt of two steps reads the matrices twice for all of its tokens.
  CHECK(json["tests"][0]["bytes_per_token"].get<double>() < static_cast<double>(file.matrix_bytes));
}

TEST_CASE("bench measures the machine's limits and the share of them") {
  const auto result = kern({"bench", "-q", "-p", "8", "-n", "2", "-r", "1", "--json"});
  CHECK(result.code == 0);
  const Json json = Json::parse(result.out);
  for (const char* limit :
       {"read_bytes_per_second", "int8_multiply_adds_per_second", "fp32_multiply_adds_per_second"}) {
    CAPTURE(limit);
    CHECK(json["limits"][limit].get<double>() > 0.0);
  }
  for (const Json& test : json["tests"]) {
    CHECK(contains("read int8 fp32", test["limit"]["name"].get<std::string>()));
    CHECK(test["limit"]["share"].get<double>() > 0.0);
  }
}

TEST_CASE("bench --profile lists the operations, and their figures are the model's") {
  const int prompt = 40, generated = 3, depth = 30;
  const Json json = bench_json({"-p", std::to_string(prompt), "-n", std::to_string(generated), "-d",
                                std::to_string(depth), "-ub", "16", "-r", "1", "--profile"});
  const FileFigures file = file_figures();
  REQUIRE(json["profiles"].size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& profile = json["profiles"][i];
    const Json& operations = profile["operations"];
    const bool prefill = profile["kind"] == "prefill";
    CHECK(prefill == (i == 0));
    CHECK(profile["depth"] == depth);
    const std::uint64_t steps = prefill ? 3 : generated;
    const std::uint64_t tokens = prefill ? prompt : generated;
    std::uint64_t matrices = 0, embedded = 0;
    std::string names;
    for (const Json& operation : operations) {
      names += operation["name"].get<std::string>() + "\n";
      (operation["name"] == "embed" ? embedded : matrices) += operation["weight_bytes"].get<std::uint64_t>();
      if (operation["name"] == "attention") CHECK(operation["calls"] == steps * file.layers);
    }
    for (const char* name : {"embed", "norm_products attn_q attn_k attn_v", "norm_rotate_store", "attention",
                             "matmul_add attn_output", "norm_gate_up ffn_gate ffn_up", "matmul_add ffn_down"})
      CHECK(contains(names, std::string(name) + "\n"));
    // The logits of a prompt are wanted once, behind its last token.
    const std::string output =
        contains(names, "norm_products output\n") ? "norm_products output" : "norm_products token_embd";
    std::uint64_t output_bytes = 0;
    for (const Json& operation : operations)
      if (operation["name"] == output) output_bytes = operation["weight_bytes"];
    const std::uint64_t times = prefill ? 1 : steps;
    CHECK(output_bytes > 0);
    CHECK(output_bytes % times == 0);
    CHECK(matrices == steps * (file.matrix_bytes - output_bytes / times) + output_bytes);
    CHECK(embedded * json["vocab_size"].get<std::uint64_t>() == tokens * file.table_bytes);
    const std::uint64_t bytes = sum(operations, "weight_bytes") + sum(operations, "cache_bytes");
    const std::uint64_t multiply_adds = sum(operations, "int8_multiply_adds") + sum(operations, "fp32_multiply_adds");
    CHECK(json["tests"][i]["bytes_per_token"].get<double>() ==
          doctest::Approx(static_cast<double>(bytes) / static_cast<double>(tokens)));
    CHECK(json["tests"][i]["multiply_adds_per_token"].get<double>() ==
          doctest::Approx(static_cast<double>(multiply_adds) / static_cast<double>(tokens)));
  }
}

TEST_CASE("bench --profile prints a table for the prompt and one for the generated tokens") {
  const auto result = kern(bench({"-p", "4", "-n", "2", "-r", "1", "--profile"}));
  CHECK(result.code == 0);
  for (const char* part : {"| pp4 ", "| tg2 ", "| attention ", "| embed ", "| between them ", "| all "})
    CHECK(contains(result.out, part));
}

TEST_CASE("bench refuses arguments that make no sense") {
  const std::vector<Words> wrong = {{"-p", "x"},   {"-p", ""},    {"-p", "1,,2"},        {"-n", "4,"},
                                    {"-n", "-5"},  {"-d", "1.5"}, {"-d", "99999999999"}, {"-p", "0", "-n", "0"},
                                    {"-r", "0"},   {"-t", "0"},   {"-ub", "0"},          {"-ctk", "q9"},
                                    {"--nonsense"}};
  for (const Words& arguments : wrong) {
    CAPTURE(arguments.back());
    const auto result = kern(bench(arguments));
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK(is_one_line(result.err));
  }
}

TEST_CASE("bench refuses tests that don't fit -c, and files that aren't there") {
  const auto full = kern(bench({"-p", "64", "-n", "0", "-d", "8", "-c", "70"}));
  CHECK(full.code == 4);
  CHECK(full.out.empty());
  CHECK(contains(full.err, "72"));
  CHECK(contains(full.err, "70"));
  const auto missing = kern(bench({"-m", "no-such-model.gguf"}));
  CHECK(missing.code == 3);
  CHECK(is_one_line(missing.err));
}

TEST_CASE("Ctrl-C ends bench with what was measured") {
  Process process(KERN_EXECUTABLE, bench({"-p", "4", "-n", "200", "-r", "10000"}));
  CHECK(process.read_until([](const ProcessResult& so_far) { return contains(so_far.out, "| test "); }));
  CHECK(process.still_runs_after(std::chrono::milliseconds(500)));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  CHECK(contains(result.out, "| pp4 "));
  CHECK(result.out.ends_with("|\n"));
}

TEST_CASE("Ctrl-C ends bench --json with whole JSON") {
  Process process(KERN_EXECUTABLE, bench({"-p", "4", "-n", "0", "-r", "10000", "--json"}));
  CHECK(process.still_runs_after(std::chrono::milliseconds(1000)));
  process.send(SIGINT);
  const auto result = process.finish();
  CHECK(result.code == 130);
  const Json json = Json::parse(result.out);
  CHECK(json["interrupted"] == true);
  REQUIRE(json["tests"].size() == 1);
  CHECK(json["tests"][0]["samples_seconds"].size() > 0);
}

} // namespace
} // namespace kern::test
