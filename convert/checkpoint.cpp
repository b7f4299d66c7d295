#include "convert/checkpoint.h"

#include <algorithm>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "convert/json_reader.h"
#include "model/error.h"

namespace kern {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_parts = 10000;

struct WeightMap {
  std::set<std::string> parts;
  std::map<std::string, std::string> part_of; // by tensor
};

/// A part must lie in the folder itself.
void check_part_name(const JsonObject& map, const std::string& tensor, const std::string& part) {
  if (part.empty() || part.front() == '.' || part.find('/') != std::string::npos || !part.ends_with(".safetensors"))
    map.fail(tensor, fmt::format("found the part '{}', expected the name of a .safetensors file of this folder", part));
}

WeightMap read_weight_map(const fs::path& index) {
  const JsonFile file(index);
  const auto map = file.top().object("weight_map");
  if (!map) file.top().fail("weight_map", "missing, expected an object from tensors to parts; the file is damaged");
  WeightMap result;
  for (const auto& [tensor, part] : map->json().items()) {
    if (!part.is_string()) map->fail(tensor, fmt::format("found {}, expected a file name", describe_json(part)));
    check_part_name(*map, tensor, part.get<std::string>());
    result.parts.insert(part.get<std::string>());
    result.part_of[tensor] = part.get<std::string>();
  }
  if (result.parts.empty() || result.parts.size() > max_parts)
    map->fail("", fmt::format("found {} parts, expected 1 to {}", result.parts.size(), max_parts));
  return result;
}

/// model*.safetensors in the order of names.
std::set<std::string> list_parts(const fs::path& folder) {
  std::set<std::string> parts;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("model") && name.ends_with(".safetensors")) parts.insert(name);
  }
  return parts;
}

[[noreturn]] void fail_without_parts(const fs::path& folder) {
  const auto has = [&](const char* name) { return has_file(folder / name); };
  std::string found = "found no model.safetensors and no model.safetensors.index.json";
  if (has("pytorch_model.bin") || has("pytorch_model.bin.index.json"))
    found = "found weights in PyTorch's own format (pytorch_model.bin), which can run code when it is read";
  if (has("consolidated.safetensors")) found = "found Mistral's own format (consolidated.safetensors)";
  if (has("adapter_model.safetensors")) found = "found an adapter (adapter_model.safetensors) without its model";
  throw Error(ExitCode::model, fmt::format("{}: {}, expected a Hugging Face folder with model.safetensors; fetch the "
                                           "safetensors files, or save the model with save_pretrained",
                                           folder.string(), found));
}

} // namespace

void Checkpoint::add_part(const fs::path& path) {
  files_.emplace_back(path, "a safetensors file");
  for (StoredTensor& tensor : Safetensors::parse(files_.back().bytes(), path.string())) {
    const auto [place, added] = by_name_.emplace(tensor.name, tensors_.size());
    if (!added)
      tensor.fail(fmt::format("stands in {} too, expected it once; remove what belongs to another model",
                              tensors_[place->second].file));
    tensors_.push_back(std::move(tensor));
  }
}

Checkpoint Checkpoint::open(const fs::path& folder) {
  Checkpoint checkpoint;
  const fs::path index = folder / "model.safetensors.index.json";
  if (!has_file(index)) {
    const std::set<std::string> parts = list_parts(folder);
    if (parts.empty()) fail_without_parts(folder);
    for (const std::string& part : parts) checkpoint.add_part(folder / part);
    return checkpoint;
  }
  const WeightMap map = read_weight_map(index);
  for (const std::string& part : map.parts) {
    if (!has_file(folder / part))
      throw Error(ExitCode::model, fmt::format("{}: found no such file, but {} names it; fetch it too",
                                               (folder / part).string(), index.string()));
    checkpoint.add_part(folder / part);
  }
  for (const auto& [tensor, part] : map.part_of)
    if (!checkpoint.find(tensor))
      throw Error(ExitCode::model, fmt::format("{}: tensor '{}': missing, but {} places it there; fetch the part again",
                                               (folder / part).string(), tensor, index.string()));
  for (const StoredTensor& tensor : checkpoint.tensors_)
    if (!map.part_of.contains(tensor.name))
      tensor.fail(fmt::format("isn't named by {}; the part belongs to another model", index.string()));
  return checkpoint;
}

const StoredTensor* Checkpoint::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

} // namespace kern
