#include "tests/fixtures.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

namespace kern::test {

std::filesystem::path data_path(const std::string& name) {
  const char* elsewhere = std::getenv("KERN_TEST_DATA"); // where tests run on another machine than they were built on
  return std::filesystem::path(elsewhere ? elsewhere : KERN_TEST_DATA) / name;
}

std::filesystem::path real_data() {
  const char* folder = std::getenv("KERN_DATA");
  return folder ? folder : "";
}

std::vector<char> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Reference read_reference(const std::string& name) {
  const auto json = nlohmann::json::parse(std::ifstream(data_path("models/" + name + ".json")));
  return {json.at("prompt_tokens"), json.at("logits"), json.at("llama_cpp_logits"), json.at("greedy_tokens"),
          json.at("max_abs_logit")};
}

} // namespace kern::test
