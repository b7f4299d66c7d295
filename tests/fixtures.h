// Files of tests/data and what stands in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kern::test {

std::filesystem::path data_path(const std::string& name);

/// $KERN_DATA, a folder with real vocabularies and templates for tests that need them; empty where there is none.
std::filesystem::path real_data();

std::vector<char> read_file(const std::filesystem::path& path);

/// What transformers and llama.cpp say of a model of tests/data/models.
struct Reference {
  std::vector<std::int32_t> prompt;
  std::vector<float> logits;           // transformers float32, after the prompt
  std::vector<float> llama_cpp_logits; // llama.cpp F32
  std::vector<std::int32_t> greedy;
  double max_abs_logit = 0.0;
};

Reference read_reference(const std::string& name);

} // namespace kern::test
