// Files of tests/data and what stands in them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace kern::test {

inline std::filesystem::path data_path(const std::string& name) { return std::filesystem::path(KERN_TEST_DATA) / name; }

inline std::vector<char> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What transformers and llama.cpp say of a model of tests/data/models.
struct Reference {
  std::vector<std::int32_t> prompt;
  std::vector<float> logits;           // transformers float32, after the prompt
  std::vector<float> llama_cpp_logits; // llama.cpp F32
  std::vector<std::int32_t> greedy;
  double max_abs_logit = 0.0;
};

inline Reference read_reference(const std::string& name) {
  const auto json = nlohmann::json::parse(std::ifstream(data_path("models/" + name + ".json")));
  return {json.at("prompt_tokens"), json.at("logits"), json.at("llama_cpp_logits"), json.at("greedy_tokens"),
          json.at("max_abs_logit")};
}

} // namespace kern::test
