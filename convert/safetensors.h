// safetensors: 8 bytes with the length of a JSON header, the header, the tensors' bytes.
// Format: huggingface/safetensors README.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/mapped_file.h"

namespace kern {

enum class StoredType { f64, f32, f16, bf16, f8_e4m3, f8_e5m2, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

/// As the header spells it: "F32", "F8_E4M3", ...
std::string_view stored_type_name(StoredType type);
std::size_t stored_type_bytes(StoredType type);

/// One tensor as the file holds it.
struct StoredTensor {
  std::string name;
  StoredType type{};
  std::vector<std::uint64_t> shape; // slowest dimension first; empty: one number
  std::span<const std::byte> bytes;
  std::string file; // for messages

  std::uint64_t elements() const;
  /// "[32, 64]"
  std::string shape_text() const;
  /// Throws Error(model) "FILE: tensor 'NAME': PROBLEM".
  [[noreturn]] void fail(const std::string& problem) const;
};

/// The tensors of one file, checked against its length and each other. Throws Error(model) with file, tensor or offset,
/// found, expected and remedy.
class Safetensors {
public:
  /// Reads from memory that outlives the result; `name` stands in messages.
  static std::vector<StoredTensor> parse(std::span<const std::byte> bytes, const std::string& name);
};

} // namespace kern
