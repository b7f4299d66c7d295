// What a model file can be made from: a GGUF file, or a folder of another format.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "model/gguf.h"

namespace kern {

/// Metadata and tensors, in the order in which they are best read. Refers to what it was made of.
struct ModelSource {
  ModelSource(const Gguf& gguf) // NOLINT: a file is such a source
      : name(gguf.name()), metadata(&gguf.metadata()), tensors(gguf.tensors()), mapped(gguf.mapped()) {}
  ModelSource(std::string its_name, const Metadata& its_metadata, std::span<const TensorInfo> its_tensors)
      : name(std::move(its_name)), metadata(&its_metadata), tensors(its_tensors) {}

  bool has(std::string_view tensor) const {
    return std::ranges::find(tensors, tensor, &TensorInfo::name) != tensors.end();
  }

  std::string name; // for messages
  const Metadata* metadata;
  std::span<const TensorInfo> tensors;
  bool mapped = true; // whether bytes and readers' sources lie in mapped files
};

} // namespace kern
