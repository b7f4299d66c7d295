// kern with a GPU: here one whose kernels are executed on the CPU (device_on_host).
#include <doctest/doctest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/cli_fixture.h"
#include "tests/fixtures.h"
#include "tests/random_model.h"

namespace kern {

namespace {

using namespace test;

ProcessResult kern_with_gpu(const Words& arguments, const ProcessOptions& options = {}) {
  return run_process(KERN_WITH_HOST_DEVICE, arguments, options);
}

nlohmann::json report_with_gpu(const std::string& model, Words arguments, const ProcessOptions& options = {}) {
  Words all{"run", "-q", "-m", model, "--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const ProcessResult result = kern_with_gpu(all, options);
  CAPTURE(result.err);
  return nlohmann::json::parse(result.out);
}

ProcessOptions with(const char* name, const char* value) {
  ProcessOptions options;
  options.environment = {{name, value}};
  return options;
}

/// Several layers of random quantized weights.
std::string small_model(const Models& models) {
  write_random_model({find_shape("tiny"), Format::q4_k, Format::q6_k}, models.path("small.gguf"));
  return models.path("small.gguf");
}

std::size_t lines_of(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

} // namespace

TEST_CASE("with a GPU the answer is the same, and the report says where it was computed") {
  const Models models;
  const std::string model = small_model(models);
  const Words prompt{"--raw", "-n", "6", "once upon a time"};
  const auto expected = answer_json(model, prompt);
  const auto everywhere = report_with_gpu(model, prompt);
  CHECK(everywhere["tokens"] == expected["tokens"]);
  CHECK(everywhere["device"] == "host as a device, compute 9.0");
  for (const char* layers : {"0", "1", "2", "3", "99", "all", "auto", "-1"}) {
    CAPTURE(layers);
    Words words = prompt;
    words.insert(words.end(), {"-ngl", layers});
    CHECK(report_with_gpu(model, words)["tokens"] == expected["tokens"]);
  }
  Words shared = prompt;
  shared.insert(shared.end(), {"-ngl", "2", "-t", "1"});
  const std::string device = report_with_gpu(model, shared)["device"];
  CHECK(device.starts_with("host as a device, compute 9.0 with 2 of 3 layers; CPU, "));
  for (const Words& flags : {Words{"-nkvo"}, {"--exact"}, {"-dev", "CUDA0"}, {"--device", "0"}, {"-ub", "3"}}) {
    Words words = prompt;
    words.insert(words.end(), flags.begin(), flags.end());
    CHECK(report_with_gpu(model, words)["tokens"] == expected["tokens"]);
  }
}

TEST_CASE("--device none and -ngl 0 leave a GPU alone; one that isn't there is refused") {
  const Models models;
  const std::string model = models.add(answer_model(hello));
  for (const Words& flags : {Words{"--device", "none"}, {"-ngl", "0"}}) {
    Words words{"hi"};
    words.insert(words.end(), flags.begin(), flags.end());
    CHECK(std::string(report_with_gpu(model, words)["device"]).starts_with("CPU, "));
  }
  for (const char* device : {"1", "CUDA7", "fast", "-1"}) {
    const auto refused = kern_with_gpu({"run", "-m", model, "--device", device, "hi"});
    CHECK(refused.code == 2);
    CHECK(contains(refused.err, "--device"));
    CHECK(lines_of(refused.err) == 1);
  }
}

TEST_CASE("without a GPU a build for one says so in a line and uses the CPU") {
  const Models models;
  const std::string model = models.add(answer_model(hello));
  const ProcessOptions none = with("KERN_TEST_DEVICES", "0");
  const auto said = kern_with_gpu({"run", "-m", model, "hi"}, none);
  CHECK(said.out == "Hello, world.\n");
  CHECK(said.err.starts_with("kern: no GPU: no devices are pretended; running on the CPU\n"));
  CHECK(kern_with_gpu({"run", "-q", "-m", model, "hi"}, none).err.empty());
  CHECK(kern_with_gpu({"run", "-q", "-m", model, "-ngl", "all", "hi"}, none).out == "Hello, world.\n");
  CHECK(!contains(kern_with_gpu({"run", "-m", model, "-ngl", "0", "hi"}, none).err, "GPU"));
}

TEST_CASE("a model that doesn't fit a GPU's memory steps down, unless layers were asked for") {
  const Models models;
  const std::string model = small_model(models);
  const Words prompt{"--raw", "-n", "3", "once upon a time"};
  const auto expected = answer_json(model, prompt);
  const ProcessOptions little = with("KERN_TEST_DEVICE_MEMORY", "269250000"); // 256 MiB of it are left to the driver
  const auto some = report_with_gpu(model, prompt, little);
  CHECK(some["tokens"] == expected["tokens"]);
  CHECK(contains(std::string(some["device"]), " of 3 layers; CPU, "));
  const auto nothing = report_with_gpu(model, prompt, with("KERN_TEST_DEVICE_MEMORY", "1000"));
  CHECK(nothing["tokens"] == expected["tokens"]);
  CHECK(std::string(nothing["device"]).starts_with("CPU, "));
  const auto refused =
      kern_with_gpu({"run", "-q", "-m", model, "-ngl", "all", "hi"}, with("KERN_TEST_DEVICE_MEMORY", "100000"));
  CHECK(refused.code == 6);
  CHECK(refused.out.empty());
  CHECK(lines_of(refused.err) == 1);
  CHECK(contains(refused.err, "-ngl"));
  // Memory that others have taken since it was counted.
  for (const char* allocation : {"1", "2"})
    CHECK(report_with_gpu(model, prompt, with("KERN_TEST_FAIL_ALLOCATION", allocation))["tokens"] ==
          expected["tokens"]);
}

TEST_CASE("a model with heads that the GPU has no kernels for runs on the CPU, or is refused") {
  const Models models;
  ModelShape shape = find_shape("tiny");
  shape.head_dim = 288;
  write_random_model({shape, Format::q8_0, Format::q8_0}, models.path("wide.gguf"));
  const Words prompt{"run", "-m", models.path("wide.gguf"), "--raw", "-n", "2", "hi"};
  const auto answered = kern_with_gpu(prompt);
  CHECK(answered.code == 0);
  CHECK(contains(answered.err, "heads of 288 and 288 numbers"));
  Words all = prompt;
  all.insert(all.end(), {"-ngl", "all"});
  const auto refused = kern_with_gpu(all);
  CHECK(refused.code == 3);
  CHECK(lines_of(refused.err) == 1);
}

TEST_CASE("instructions of a GPU that give wrong results in a check aren't used, and a line says so") {
  const Models models;
  const std::string model = small_model(models);
  const Words prompt{"--raw", "-n", "3", "once upon a time"};
  const auto expected = answer_json(model, prompt);
  Words words{"run", "-m", model, "--json"};
  words.insert(words.end(), prompt.begin(), prompt.end());
  const auto notices = [&](const ProcessOptions& options) {
    const ProcessResult result = kern_with_gpu(words, options);
    CHECK(nlohmann::json::parse(result.out)["tokens"] == expected["tokens"]);
    return result.err.find("kern: host as a device: products of warpgroups came out wrong") != std::string::npos;
  };
  CHECK_FALSE(notices({}));
  ProcessOptions wrong = with("KERN_TEST_MISREAD_OPERANDS", "1");
  CHECK(notices(wrong));
  CHECK(report_with_gpu(model, prompt, wrong)["tokens"] == expected["tokens"]);
  CHECK(report_with_gpu(model, prompt, wrong)["device"] == "host as a device, compute 9.0 without wgmma");
  wrong.environment.push_back({"KERN_GPU_WGMMA", "0"});
  CHECK_FALSE(notices(wrong));
}

TEST_CASE("a kernel that fails ends in one line and its own code") {
  const Models models;
  const std::string model = small_model(models);
  for (const char* launch : {"1", "12", "30"}) {
    ProcessOptions failing = with("KERN_TEST_FAIL_LAUNCH", launch);
    failing.environment.push_back({"KERN_GPU_WGMMA", "0"}); // whose check would launch first
    const auto failed = kern_with_gpu({"run", "-q", "-m", model, "--raw", "-n", "9", "hi"}, failing);
    CHECK(failed.code == 9);
    CHECK(lines_of(failed.err) == 1);
    CHECK(contains(failed.err, "injected fault"));
    CHECK(contains(failed.err, "-ngl 0"));
  }
}

TEST_CASE("plans, benchmarks and measurements know of the GPU") {
  const Models models;
  const std::string model = small_model(models);
  const auto plan = nlohmann::json::parse(kern_with_gpu({"info", "--plan", "--json", model}).out)["plan"];
  CHECK(plan["gpu"] == "host as a device, compute 9.0: 3 of 3 layers");
  CHECK(plan["gpu_bytes"] > 100000);
  CHECK(plan["weights_private_bytes"] == 0);
  CHECK(plan["cache_bytes"] == 0);
  const auto bench = kern_with_gpu({"bench", "-q", "-m", model, "-p", "9", "-n", "2", "-r", "1", "--no-limits"});
  CHECK(bench.code == 0);
  CHECK(contains(bench.out, "host as a device"));
  CHECK(contains(bench.out, "| tg2 "));
  const Words profile{"bench", "-q", "-m", model, "-p", "9", "-n", "0", "-r", "1", "--no-limits", "--profile"};
  CHECK(contains(kern_with_gpu(profile).out, "norm_gate_up"));
  Words shared = profile;
  shared.insert(shared.end(), {"-ngl", "1"});
  CHECK(kern_with_gpu(shared).code == 2);

  const std::string text = models.add_bytes("once upon a time there was a fox, and then there were two foxes", "text");
  const Words measure{"-q", "-m", model, "-f", text, "-c", "32"};
  Words perplexity{"perplexity", "--json"};
  perplexity.insert(perplexity.end(), measure.begin(), measure.end());
  CHECK(kern_with_gpu(perplexity).out == kern(perplexity).out);
  Words imatrix{"imatrix", "-o", models.path("gpu.imatrix")};
  imatrix.insert(imatrix.end(), measure.begin(), measure.end());
  CHECK(kern_with_gpu(imatrix).code == 0);
  imatrix[2] = models.path("cpu.imatrix");
  CHECK(kern(imatrix).code == 0);
  CHECK(read_file(models.path("gpu.imatrix")) == read_file(models.path("cpu.imatrix")));
}

TEST_CASE("a chat goes on on a GPU") {
  const Models models;
  const std::string model = models.add(answer_model(hello));
  const Words chat{"chat", "-q", "-m", model};
  CHECK(kern_with_gpu(chat, piped("one\ntwo\n")).out == kern(chat, piped("one\ntwo\n")).out);
}

} // namespace kern
