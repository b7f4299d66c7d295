// GGUF metadata: typed values by key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kern {

/// Value types of GGUF, numbered as in the file.
enum class MetadataType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// "u32", "string", ...
std::string_view type_name(MetadataType type);

/// An array as it lies in the file: elements checked to lie within it when the file was opened, decoded when asked for.
struct MetadataArray {
  MetadataType type{}; // of the elements
  std::uint64_t count = 0;
  std::span<const std::byte> bytes; // the elements, in the file's encoding
};

/// One value with the type the file gave it. Text and arrays point into the mapped file.
struct MetadataValue {
  MetadataType type{};
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, MetadataArray> data;
};

/// The key-value section. Getters without a fallback throw Error(model) naming file, key, found, expected; all getters
/// throw where the key exists with a type or value that doesn't fit what is asked.
class Metadata {
public:
  /// `source` names the file in messages.
  explicit Metadata(std::string source = "") : source_(std::move(source)) {}

  /// False where the key is there already.
  bool insert(std::string_view key, MetadataValue value) { return values_.emplace(key, std::move(value)).second; }

  bool has(std::string_view key) const { return values_.contains(key); }
  const MetadataValue* find(std::string_view key) const;
  /// In key order.
  const std::map<std::string, MetadataValue, std::less<>>& values() const { return values_; }
  const std::string& source() const { return source_; }

  /// Any integer type whose value lies in 0..max.
  std::uint64_t get_uint(std::string_view key, std::uint64_t max = UINT64_MAX) const;
  std::uint64_t get_uint_or(std::string_view key, std::uint64_t fallback, std::uint64_t max = UINT64_MAX) const;
  /// f32, f64 or any integer.
  double get_float(std::string_view key) const;
  double get_float_or(std::string_view key, double fallback) const;
  bool get_bool_or(std::string_view key, bool fallback) const;
  std::string_view get_string(std::string_view key) const;
  std::string_view get_string_or(std::string_view key, std::string_view fallback) const;

  /// Arrays; an absent key throws.
  std::vector<std::string_view> get_strings(std::string_view key) const;
  /// Elements f32 or f64.
  std::vector<float> get_floats(std::string_view key) const;
  /// Elements of any integer type or bool.
  std::vector<std::int64_t> get_ints(std::string_view key) const;

  /// Throws Error(model) "FILE: key 'KEY': PROBLEM".
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;

private:
  const MetadataValue& require(std::string_view key, std::string_view expected) const;
  const MetadataArray& require_array(std::string_view key, std::string_view expected) const;

  std::string source_;
  std::map<std::string, MetadataValue, std::less<>> values_;
};

/// One line for people: text quoted and cut at `limit` bytes, arrays with their count and first elements.
std::string describe(const MetadataValue& value, std::size_t limit = 60);

} // namespace kern
