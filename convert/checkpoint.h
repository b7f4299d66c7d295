// The tensors of a folder: one safetensors file or several.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "convert/safetensors.h"
#include "model/mapped_file.h"

namespace kern {

class Checkpoint {
public:
  /// Opens the parts that model.safetensors.index.json names, else every model*.safetensors of the folder. Throws
  /// Error(model) where there is none, a part or tensor is missing, or one stands in two places.
  static Checkpoint open(const std::filesystem::path& folder);

  /// In the order of parts, and in each in the order of the bytes: reading them so is reading the disk in order.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// Null where there is none.
  const StoredTensor* find(std::string_view name) const;

private:
  void add_part(const std::filesystem::path& path);

  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::vector<MappedFile> files_;
};

} // namespace kern
