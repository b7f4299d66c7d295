#include "tests/cli_fixture.h"

#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/fixtures.h"

namespace kern::test {

ProcessResult kern(const Words& arguments, const ProcessOptions& options) {
  return run_process(KERN_EXECUTABLE, arguments, options);
}

std::string Models::path(const std::string& name) const { return (folder_ / name).string(); }

std::string Models::add(const ChainModel& model, const std::string& name) const {
  write_chain_model(model, folder_ / name);
  return path(name);
}

std::string Models::add_bytes(std::string_view bytes, const std::string& name) const {
  std::ofstream(folder_ / name, std::ios::binary) << bytes;
  return path(name);
}

std::string demo() { return (data_path("").parent_path().parent_path().parent_path() / "demo/demo.gguf").string(); }

std::string stories() { return data_path("perplexity/stories.txt").string(); }

ProcessResult answer(const std::string& model, Words arguments, const ProcessOptions& options) {
  Words all{"run", "-q", "-m", model};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return kern(all, options);
}

nlohmann::json answer_json(const std::string& model, Words arguments, const ProcessOptions& options) {
  arguments.push_back("--json");
  return nlohmann::json::parse(answer(model, std::move(arguments), options).out);
}

ProcessOptions piped(std::string bytes) {
  ProcessOptions options;
  options.input = Input::bytes;
  options.bytes = std::move(bytes);
  return options;
}

ChainModel endless(const Words& pieces) {
  ChainModel model = answer_model(pieces, Spelling::byte_level, AnswerEnd::again);
  model.context_length = 1 << 20;
  return model;
}

Words run_endless(const std::string& model, const Words& extra) {
  Words arguments{"run", "-m", model, "-c", "400000"};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  arguments.push_back("hi");
  return arguments;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

} // namespace kern::test
