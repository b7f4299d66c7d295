// Hugging Face folders of tests/data/convert, copies of them to change, and what kern makes of them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "convert/folder_model.h"
#include "model/gguf.h"
#include "tests/temporary_folder.h"

namespace kern::test {

/// All folders, by name.
inline const std::vector<std::string> convert_fixtures = {"Tiny-Llama-0.1M-Chat", "tiny-llama3",   "tiny-mistral",
                                                          "tiny-qwen2",           "tiny-qwen3",    "tiny-qwen3-fp8",
                                                          "tiny-llama-gptq",      "tiny-qwen2-awq"};

std::filesystem::path convert_folder(const std::string& name);
/// What llama.cpp's converter makes of it: NAME.json.
nlohmann::json convert_reference(const std::string& name);

/// A copy of a folder that may be changed.
class FolderCopy {
public:
  explicit FolderCopy(const std::string& name);

  std::filesystem::path path() const { return folder_ / name_; }
  std::filesystem::path operator/(const std::string& file) const { return path() / file; }
  std::string read(const std::string& file) const;
  void write(const std::string& file, std::string_view bytes) const;
  void edit(const std::string& file, const std::function<void(nlohmann::json&)>& change) const;
  void remove(const std::string& file) const;

private:
  TemporaryFolder folder_;
  std::string name_;
};

/// A model converted in memory: every tensor in `format`, or as it is stored where that is nothing.
std::vector<std::byte> converted(const FolderModel& model, std::string_view mix, bool keep_quantized = false);

/// The message that opening the folder ends in; empty where it opens. Checks the exit code and that it is one line.
std::string refusal(const std::filesystem::path& folder);

/// FNV-1a in hexadecimal.
std::string hash_of(std::span<const std::byte> bytes);

/// A safetensors file of a header and data.
std::string safetensors_file(std::string_view header, std::string_view data);

} // namespace kern::test
